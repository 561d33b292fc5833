// guided_diffusion, improved_diffusion, consistency_models — weights of OpenAI's UNetModel (Nichol
// & Dhariwal 2021; Dhariwal & Nichol 2021; Song et al. 2023): the state dict alone, as torch.save
// or safetensors. They become `adm`.
//
// Names and shapes tell the architecture. They do not tell which of the projects wrote them
// (--from, unless the metadata of a safetensors file say `layout: openai/PROJECT …`), nor what
// follows, which is taken from --set KEY=VALUE by the name of the authors' flag, or from the
// published configuration of the same resolutions and channels, or asked for:
//
//   image_size               pixels; also HEIGHTxWIDTH. The authors choose multipliers by it
//   num_head_channels        channels of a head of attention; or
//   num_heads                their number
//   use_new_attention_order  whether q, k, v are split before the heads; guided_diffusion only:
//                            always in consistency_models, never in improved_diffusion
//   noise_schedule           linear or cosine β
//   diffusion_steps          1000 for guided_diffusion unless said
//   rescale_timesteps        whether N steps count as 1000 for the network; true for
//                            improved_diffusion unless said, else false
//
// guided_diffusion and improved_diffusion: ε on a table of β, sampled by 250 steps of the chain
// with the variance β; a learned variance is kept in the weights, but not used.
// consistency_models: the consistency function with σ_data 0.5, σ_min 0.002, told 250·ln σ; D is
// cut to [-1, 1]; sampled in one step from σ = 80.
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "openai_unet.h"

#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kGuided = "guided_diffusion", kImproved = "improved_diffusion",
                           kConsistency = "consistency_models";

// Flags of the models that the authors published, as their READMEs have them.
struct Published {
  std::string_view project;
  std::int64_t image_size, channels, heads, head_channels;  // of both the one that is given
  bool new_order;
  std::string_view schedule;
};
constexpr Published kPublished[] = {
    {kGuided, 64, 192, 0, 64, true, "cosine"},   {kGuided, 128, 256, 4, 0, false, "linear"},
    {kGuided, 256, 256, 0, 64, false, "linear"}, {kGuided, 512, 256, 0, 64, false, "linear"},
    {kImproved, 32, 128, 4, 0, false, ""},       {kImproved, 64, 128, 4, 0, false, ""},
    {kImproved, 256, 128, 4, 0, false, ""},      {kConsistency, 64, 192, 0, 64, true, ""},
    {kConsistency, 256, 256, 0, 64, true, ""},
};

// Image sizes for which the authors' code chooses these multipliers.
struct Multipliers {
  std::int64_t image_size;
  std::vector<double> values;
};
const Multipliers kMultipliers[] = {{512, {0.5, 1, 1, 2, 2, 4, 4}},
                                    {256, {1, 1, 2, 2, 4, 4}},
                                    {128, {1, 1, 2, 3, 4}},
                                    {64, {1, 2, 3, 4}},
                                    {32, {1, 2, 2, 2}}};

class Reading {
 public:
  Reading(const ForeignFile& source, std::string_view project)
      : source_(source), settings_(*source.settings), project_(project), state_(source), unet_(state_) {}

  ForeignModel read() {
    read_size();
    const auto* same = std::ranges::find_if(kPublished, [&](const Published& row) {
      return row.project == project_ && row.image_size == height_ && row.image_size == width_ &&
             row.channels == unet_.channels();
    });
    published_ = same == std::end(kPublished) ? nullptr : same;
    const HeadOrder order = head_order();
    const ordered_json convention = project_ == kConsistency ? consistency() : discrete();
    ordered_json config;
    config["name"] = as_utf8(source_.path.stem().string());
    config["image"] = {
        {"channels", unet_.in_channels()}, {"height", height_}, {"width", width_}, {"classes", unet_.classes()}};
    config["network"] = unet_.config(height_, order);
    config["preconditioning"] = convention.at("preconditioning");
    config["training"] = {{"images", 1}};  // not known
    config["sampling"] = convention.at("sampling");
    return {.config = config.dump(),
            .weights = unet_.weights(height_, width_, order),
            .about = format("UNetModel of {}{}", project_, taken_.empty() ? "" : "; as published: " + taken_)};
  }

 private:
  // A value that was stated, or one that the authors' rule gives.
  template <typename T>
  std::optional<T> stated(const std::optional<T>& given, const std::optional<T>& rule, std::string_view text) {
    if (given || !rule) return given;
    taken_ += (taken_.empty() ? "" : ", ") + std::string(text);
    return rule;
  }
  [[noreturn]] void ask(std::string_view what, std::string_view how) const {
    fail(
        "{}: weights do not tell {}, and no published configuration of {} has these channels and resolutions; say "
        "it by {}",
        source_.path.string(), what, project_, how);
  }

  void read_size() {
    std::optional<std::string> rule;
    for (const auto& row : kMultipliers)
      if (row.values == unet_.multipliers()) rule = std::to_string(row.image_size);
    const auto text = stated(settings_.text("image_size"), rule, "image_size " + rule.value_or(""));
    if (!text) ask("the images' size", "--set image_size=PIXELS");
    const std::size_t cross = text->find('x');
    const auto height = parse_integer(text->substr(0, cross)),
               width = cross == std::string::npos ? height : parse_integer(text->substr(cross + 1));
    require(height && width && std::min(*height, *width) >= 1 && std::max(*height, *width) <= 8192,
            "--set image_size: expected pixels, or HEIGHTxWIDTH, found {}", in_quotes(*text));
    height_ = *height;
    width_ = *width;
    const std::int64_t step = std::int64_t{1} << (unet_.multipliers().size() - 1);
    require(height_ % step == 0 && width_ % step == 0,
            "--set image_size: {} has {} resolutions: expected multiples of {}", source_.path.string(),
            unet_.multipliers().size(), step);
  }

  HeadOrder head_order() {
    HeadOrder out;
    const auto heads = settings_.integer("num_heads", 1, 4096),
               channels = settings_.integer("num_head_channels", 1, 4096);
    require(!heads || !channels, "--set num_heads, num_head_channels: give one of them");
    out.heads = heads.value_or(0);
    out.channels_per_head = channels.value_or(0);
    if (!heads && !channels) {
      if (!published_) ask("the heads of attention", "--set num_head_channels=C or --set num_heads=N");
      out.heads = published_->heads;
      out.channels_per_head = published_->head_channels;
      taken_ += format(
          "{}{}", taken_.empty() ? "" : ", ",
          out.heads > 0 ? format("num_heads {}", out.heads) : format("num_head_channels {}", out.channels_per_head));
    }
    out.qkv_first = project_ == kConsistency;
    if (project_ != kGuided) return out;
    const bool new_order = published_ && published_->new_order;
    const std::optional<bool> rule = published_ ? std::optional(new_order) : std::nullopt;
    const auto order =
        stated(settings_.flag("use_new_attention_order"), rule, format("use_new_attention_order {}", new_order));
    if (!order) ask("the order of q, k, v and heads", "--set use_new_attention_order=true or =false");
    out.qkv_first = *order;
    return out;
  }

  // ε on a table of β.
  ordered_json discrete() {
    constexpr std::string_view kSchedules[] = {"linear", "cosine"};
    const bool known = published_ && !published_->schedule.empty();
    const auto rule = known ? std::optional(std::string(published_->schedule)) : std::nullopt;
    const auto betas =
        stated(settings_.choice("noise_schedule", kSchedules), rule, "noise_schedule " + rule.value_or(""));
    if (!betas) ask("the noise schedule", "--set noise_schedule=linear or =cosine");
    const auto usual = project_ == kGuided ? std::optional<std::int64_t>(1000) : std::nullopt;
    const auto N = stated(settings_.integer("diffusion_steps", 2, 1'000'000), usual, "diffusion_steps 1000");
    if (!N) ask("the number of steps", "--set diffusion_steps=N (4000 in the authors' examples)");
    const bool rescales = settings_.flag("rescale_timesteps").value_or(project_ == kImproved);
    const ordered_json schedule = {{"type", "ddpm"}, {"betas", *betas}, {"N", *N}};
    ordered_json noise = {{"type", "index"}, {"schedule", schedule}};
    if (rescales && *N != 1000) noise["factor"] = 1000.0 / static_cast<double>(*N);
    return {{"preconditioning", {{"type", "eps"}, {"noise_input", noise}}},
            {"sampling",
             {{"schedule", schedule},
              {"grid", {{"type", "native"}, {"spacing", "linspace"}, {"steps", std::min<std::int64_t>(*N, 250)}}},
              {"sampler", {{"type", "ancestral"}, {"variance", "beta"}}},
              {"clip", {-1, 1}}}}};
  }

  static ordered_json consistency() {
    return {{"preconditioning",
             {{"type", "edm"},
              {"sigma_data", 0.5},
              {"sigma_min", 0.002},
              {"noise_input", {{"type", "log"}, {"factor", 250}}}}},
            {"sampling",
             {{"schedule", {{"type", "edm"}}},
              {"grid", {{"type", "explicit"}, {"sigmas", {80}}}},
              {"sampler", {{"type", "ddim"}, {"renoise", true}}},
              {"clip", {-1, 1}}}}};
  }

  const ForeignFile& source_;
  const ForeignSettings& settings_;
  std::string_view project_;
  StateFile state_;
  OpenaiUNet unet_;
  std::int64_t height_ = 0, width_ = 0;
  const Published* published_ = nullptr;
  std::string taken_;  // what was taken from the authors' rules
};

bool is_unet_model(const ForeignFile& file, std::string_view project) {
  if (file.tensors) {
    const auto layout = file.tensors->metadata.find("layout");
    if (layout != file.tensors->metadata.end() && layout->second.starts_with("openai/") &&
        !layout->second.starts_with("openai/" + std::string(project)))
      return false;
  }
  return has_tensor(file, "time_embed.0.weight") && has_tensor(file, "input_blocks.0.0.weight") &&
         has_tensor(file, "middle_block.1.qkv.weight") && has_tensor(file, "output_blocks.0.0.in_layers.0.weight") &&
         has_tensor(file, "out.2.weight");
}

}  // namespace

bool is_guided_diffusion(const ForeignFile& file) { return is_unet_model(file, kGuided); }
bool is_improved_diffusion(const ForeignFile& file) { return is_unet_model(file, kImproved); }
bool is_consistency_models(const ForeignFile& file) { return is_unet_model(file, kConsistency); }

ForeignModel read_guided_diffusion(const ForeignFile& file) { return Reading(file, kGuided).read(); }
ForeignModel read_improved_diffusion(const ForeignFile& file) { return Reading(file, kImproved).read(); }
ForeignModel read_consistency_models(const ForeignFile& file) { return Reading(file, kConsistency).read(); }

}  // namespace edmund
