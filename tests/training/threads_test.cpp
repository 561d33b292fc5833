// What a training learns is a function of its settings, not of the number of threads: bit for bit.
#include "../../src/ops/cpu/bf16_kernels.h"
#include "edmund/networks/network.h"
#include "edmund/ops/device.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/kernels.h"
#include "tiny_model.h"

#include <ATen/ops/cos.h>
#include <string>

using namespace edmund;
using namespace edmund::testing;

namespace {

constexpr NetworkContext kContext{.image = {.channels = 3, .height = 16, .width = 16}, .num_classes = 3};
constexpr std::int64_t kBatch = 32;  // enough numbers for LibTorch to share them among threads

TrainingBatch batch_at(std::int64_t first) {
  TrainingBatch batch = tiny_batch(first, kBatch);
  const Tensor pixel = at::arange(first * 768, (first + kBatch) * 768, at::kDouble).view({kBatch, 3, 16, 16});
  batch.images = (at::cos(pixel * pixel * 0.013) * 100 + 128).to(at::kByte);
  return batch;
}

// Two steps of a network of this kind from the same start.
Checkpoint trained(const NetworkEntry& entry, int threads) {
  const auto network = [&] {
    Options options = Options::read_text(std::string(entry.small), "small.yaml");
    auto out = entry.make(options, kContext);
    out->initialize(1);
    return out;
  };
  Options options;
  const DenoisingModel model(network(), make_preconditioning(options), [](const Tensor&) { return Tensor(); });
  TinySettings settings = tiny_settings();
  settings.batch_size = kBatch;
  settings.objective.uncertainty = true;
  settings.clip_norm = 1.0;
  Trainer trainer(tiny_objective(model, settings), network(), tiny_ema(), settings);
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  while (trainer.images() < 2 * kBatch) trainer.step(batch_at(trainer.images()));
  at::set_num_threads(before);
  return trainer.checkpoint("");
}

void check_every_network(const std::string& kernels) {
  for (const NetworkEntry& entry : network_table()) {
    if (entry.small.empty()) continue;  // of a file, not trained
    const Checkpoint one = trained(entry, 1);
    for (const int threads : {2, 3, 4}) {
      INFO(entry.name << ", " << kernels << ", " << threads << " threads");
      CHECK(same_state(trained(entry, threads), one));
    }
  }
}

}  // namespace

TEST_CASE("every network learns the same bits on any number of threads", "[training]") {
  const auto precision = GENERATE(ops::Precision::kFp32, ops::Precision::kBf16);
  if (precision == ops::Precision::kBf16 && !ops::cpu::has_bf16()) return;  // it is float32 here
  const UseKernels fast(ops::Kernels::kFast);
  ops::set_precision(precision);
  check_every_network(ops::kernels_text());
  ops::set_precision(ops::Precision::kFp32);
}

TEST_CASE("every network learns the same bits by every kernel on any number of threads", "[training][slow]") {
  const auto& best = ops::cpu::kernel_table();
  long count = 0;
  const auto* tables = ops::cpu::kernel_tables(count);
  for (long i = 0; i < count; ++i)
    for_each_backend([&](const std::string& backend) {
      ops::cpu::use_kernel_table(*tables[i]);
      check_every_network(std::string(tables[i]->name) + ", " + backend);
      ops::cpu::use_kernel_table(best);
    });
}
