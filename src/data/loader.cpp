#include "edmund/data/loader.h"

#include "edmund/core/error.h"
#include "edmund/core/philox.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

namespace edmund {
namespace {

bool flipped(std::uint64_t seed, std::int64_t position) {
  const RandomKey key{.seed = seed, .stream = Stream::kFlip, .sample = static_cast<std::uint64_t>(position)};
  return open_unit(key.words(0)[0]) < 0.5;
}

// Reverses the rows of image i of [B, C, H, W].
template <typename T>
void flip_rows(Tensor& images, std::int64_t i) {
  const std::int64_t width = images.size(3), rows = images.size(1) * images.size(2);
  auto* row = images.data_ptr<T>() + i * rows * width;
  for (std::int64_t r = 0; r < rows; ++r, row += width) std::reverse(row, row + width);
}

// Images in [-1, 1] (ops::to_float()'s rule), each augmented by its own draws.
void augment(TrainingBatch& batch, const LoaderSettings& settings) {
  const Tensor images =
      batch.images.is_floating_point() ? batch.images : batch.images.to(at::kFloat).div(127.5).sub(1.0);
  const std::int64_t B = images.size(0), width = settings.augment.label_width();
  batch.images = at::empty_like(images);
  if (width > 0) batch.augment = at::empty({B, width});
  for (std::int64_t i = 0; i < B; ++i) {
    const AugmentDraws draws = augment_draws(settings.seed, batch.positions[static_cast<std::size_t>(i)]);
    const AugmentPlan plan = augment_plan(settings.augment, draws, images.size(2), images.size(3));
    batch.images[i].copy_(augmented(images[i], plan));
    if (width > 0) std::ranges::copy(plan.labels, batch.augment.data_ptr<float>() + i * width);
  }
}

void flip(Tensor& images, std::int64_t i) {
  if (images.scalar_type() == at::kByte)
    flip_rows<std::uint8_t>(images, i);
  else
    flip_rows<float>(images, i);
}

// Batch `number` of the run that begins at settings.start: a function of its arguments alone.
TrainingBatch made_batch(const Dataset& dataset, std::int64_t size, const LoaderSettings& settings,
                         std::int64_t number) {
  TrainingBatch batch;
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < settings.batch_size; ++i) {
    batch.positions.push_back(settings.start + number * settings.batch_size + i);
    indices.push_back(data_index(batch.positions.back(), size, settings.seed));
  }
  Batch read = dataset.read(indices);
  batch.images = std::move(read.images);
  batch.labels = std::move(read.labels);
  if (settings.flip)
    for (std::int64_t i = 0; i < settings.batch_size; ++i)
      if (flipped(settings.seed, batch.positions[static_cast<std::size_t>(i)])) flip(batch.images, i);
  if (settings.augment.any()) augment(batch, settings);
  return batch;
}

}  // namespace

std::int64_t data_index(std::int64_t position, std::int64_t size, std::uint64_t seed) {
  TORCH_CHECK(position >= 0 && size > 0, "data_index: position ", position, " of ", size, " images");
  const auto at = static_cast<std::uint64_t>(position), count = static_cast<std::uint64_t>(size);
  return static_cast<std::int64_t>(permuted(at % count, count, seed, at / count));
}

// Workers take batch numbers in turn, at most `prefetch` beyond the next one to be handed out; done
// batches wait under their number.
struct Loader::State {
  State(const Dataset& dataset_in, const LoaderSettings& settings_in)
      : dataset(dataset_in), settings(settings_in), size(dataset.info().size) {}

  struct Done {
    TrainingBatch batch;
    std::exception_ptr error;
  };

  Done done_batch(std::int64_t number) const {
    try {
      return {.batch = made_batch(dataset, size, settings, number), .error = nullptr};
    } catch (...) {
      return {.batch = {}, .error = std::current_exception()};  // thrown again by next()
    }
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      room.wait(lock, [&] { return stopping || taken < wanted + settings.prefetch; });
      if (stopping) return;
      const std::int64_t number = taken++;
      lock.unlock();
      Done made = done_batch(number);
      lock.lock();
      done.emplace(number, std::move(made));
      ready.notify_all();
    }
  }

  const Dataset& dataset;
  const LoaderSettings settings;
  const std::int64_t size;
  std::mutex mutex;
  std::condition_variable room, ready;
  std::map<std::int64_t, Done> done;
  std::int64_t wanted = 0, taken = 0;  // numbers of the next batch to hand out and to make
  bool stopping = false;
  std::vector<std::thread> workers;
};

Loader::Loader(const Dataset& dataset, const LoaderSettings& settings)
    : state_(std::make_unique<State>(dataset, settings)) {
  TORCH_CHECK(settings.batch_size > 0 && settings.threads >= 0 && settings.prefetch > 0 && settings.start >= 0,
              "Loader: batch_size and prefetch at least 1, threads and start at least 0 expected");
  TORCH_CHECK(state_->size > 0, "Loader: the data set has no images");
  for (std::int64_t i = 0; i < settings.threads; ++i)
    state_->workers.emplace_back([state = state_.get()] { state->work(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->room.notify_all();
  for (auto& worker : state_->workers) worker.join();
}

TrainingBatch Loader::next() {
  State& state = *state_;
  if (state.workers.empty()) {
    State::Done made = state.done_batch(state.wanted);
    if (made.error) std::rethrow_exception(made.error);
    ++state.wanted;
    return std::move(made.batch);
  }
  std::unique_lock lock(state.mutex);
  state.ready.wait(lock, [&] { return state.done.contains(state.wanted); });
  const auto found = state.done.find(state.wanted);
  // stays: later calls throw it too
  if (found->second.error) std::rethrow_exception(found->second.error);
  TrainingBatch batch = std::move(found->second.batch);
  state.done.erase(found);
  ++state.wanted;
  state.room.notify_one();
  return batch;
}

}  // namespace edmund
