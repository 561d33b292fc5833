#include "edmund/diffusion/preconditioning.h"

#include "edmund/core/error.h"
#include "support/catch.h"
#include "support/wrappers.h"

#include <ATen/ATen.h>
#include <cmath>
#include <numbers>

using namespace edmund;
using Catch::Matchers::WithinAbs;

namespace {

Preconditioning row(const std::string& yaml) {
  Options options = Options::read_text(yaml, "p.yaml");
  auto out = make_preconditioning(options);
  options.finish();
  return out;
}

std::string error_of(const std::string& yaml) {
  try {
    row(yaml);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Tensor levels() { return at::exp(at::linspace(std::log(1e-3), std::log(1e3), 61, at::kDouble)); }

double gap(const Tensor& a, const Tensor& b) { return ((a - b).abs() / (1e-300 + b.abs())).max().item<double>(); }

}  // namespace

TEST_CASE("Every row turns its own target F* back into the clean image", "[diffusion]") {
  const Tensor sigma = levels(), x0 = at::full({61, 1, 1, 1}, 0.7, at::kDouble),
               eps = at::full({61, 1, 1, 1}, -1.3, at::kDouble);
  for (const auto& entry : preconditioning_table()) {
    INFO(entry.name);
    Options options;
    const auto p = entry.make(options);
    const auto c = p.coefficients(sigma);
    const auto e = p.edm(sigma);
    const Tensor F = c.a * x0 + c.b * eps, z = x0 + sigma.reshape({-1, 1, 1, 1}) * eps;
    // a few roundings of terms up to 1.3e3
    CHECK((e.skip * z + e.out * F - x0).abs().max().item<double>() < 1e-12);
    CHECK(e.in.equal(c.in));
    CHECK(gap(e.noise, sigma.log() / 4) < 1e-14);
    CHECK(!entry.about.empty());
    CHECK(!entry.source.empty());
  }
}

TEST_CASE("v is minus edm at sigma_data 1", "[diffusion]") {
  const auto v = row("{type: v}").coefficients(levels()),
             edm = row("{type: edm, sigma_data: 1}").coefficients(levels());
  CHECK(gap(v.a, -edm.a) < 1e-15);
  CHECK(gap(v.b, -edm.b) < 1e-15);
  CHECK(gap(v.in, edm.in) < 1e-15);
}

TEST_CASE("edm gives input and target unit variance", "[diffusion]") {
  const double data = GENERATE(0.5, 0.2, 3.0);
  const auto c = row(format("{sigma_data: {}}", data)).coefficients(levels());
  const Tensor one = at::ones_like(c.in), sigma = levels().reshape({-1, 1, 1, 1});
  CHECK(gap(c.in.square() * (data * data + sigma.square()), one) < 1e-14);
  CHECK(gap(c.a.square() * data * data + c.b.square(), one) < 1e-14);
}

TEST_CASE("Inputs of a network have unit variance for unit-variance images, but for score and flow", "[diffusion]") {
  const Tensor sigma = levels().reshape({-1, 1, 1, 1}), one = at::ones_like(sigma);
  for (const std::string type : {"eps", "v", "x0"})
    CHECK(gap(row("{type: " + type + "}").coefficients(levels()).in.square() * (1 + sigma.square()), one) < 1e-14);
  CHECK(row("{type: score}").coefficients(levels()).in.equal(one));
  CHECK(gap(row("{type: flow}").coefficients(levels()).in, 1 / (1 + sigma)) <
        1e-15);  // s·z = x_t with s = 1 - t, σ = t/(1-t)
}

TEST_CASE("index rounds the network's input to the nearest level, the larger of two as near", "[diffusion]") {
  const auto p = row("{type: eps, noise_input: {type: index, schedule: {type: ddpm}}}");
  REQUIRE(p.levels.size() == 1000);
  CHECK(p.rounding == p.levels);
  CHECK(p.sigmas.low == p.levels.front());
  CHECK(p.sigmas.high == p.levels.back());
  const auto told = [&](double sigma) {
    return p.coefficients(at::full({1}, sigma, at::kDouble)).noise.item<double>();
  };
  for (std::size_t i = 0; i < p.levels.size(); i += 37) {
    CHECK(told(p.levels[i]) == static_cast<double>(i));
    CHECK(p.round(p.levels[i]) == p.levels[i]);
  }
  const double low = p.levels[4], high = p.levels[5], middle = (low + high) / 2;
  CHECK(told(low + 0.49 * (high - low)) == 4);
  CHECK(told(low + 0.51 * (high - low)) == 5);
  CHECK(p.round(low + 0.49 * (high - low)) == low);
  CHECK(p.round(std::nextafter(middle, high)) == high);
  CHECK(told(0.0) == 0);
  CHECK(told(1e9) == 999);
  CHECK(p.round(0.0) == p.levels.front());
  CHECK(p.round(1e9) == p.levels.back());
}

TEST_CASE("flow may point towards data, as in SiT, and be told the time of either end", "[diffusion]") {
  const auto noise = row("{type: flow, noise_input: flow}").coefficients(levels()),
             data =
                 row("{type: flow, towards: data, noise_input: {type: flow, reversed: true}}").coefficients(levels());
  CHECK(data.a.equal(-noise.a));
  CHECK(data.b.equal(-noise.b));
  CHECK(data.in.equal(noise.in));
  // x = (1 - t)·x0 + t·ε: σ = t/(1 - t)
  CHECK(gap(noise.noise / (1 - noise.noise), levels()) < 1e-12);
  CHECK((data.noise + noise.noise - 1).abs().max().item<double>() < 1e-15);
}

TEST_CASE("v times -π/2 is the slope of the cosine schedule towards data, as in SiT's GVP", "[diffusion]") {
  const auto p = row("{type: v, factor: -1.5707963267948966, noise_input: {type: cosine, reversed: true}}");
  const auto c = p.coefficients(levels());
  // x = sin(πτ/2)·x0 + cos(πτ/2)·ε, τ the network's time
  const Tensor angle = c.noise * (std::numbers::pi / 2);
  const auto flat = [](const Tensor& x) { return x.reshape(-1); };
  CHECK((flat(c.in) - angle.sin()).abs().max().item<double>() < 1e-14);
  CHECK((flat(c.a) - std::numbers::pi / 2 * angle.cos()).abs().max().item<double>() < 1e-14);
  CHECK((flat(c.b) + std::numbers::pi / 2 * angle.sin()).abs().max().item<double>() < 1e-14);
  const Tensor noise = row("{type: v, noise_input: cosine}").coefficients(levels()).noise;
  CHECK((c.noise + noise - 1).abs().max().item<double>() < 1e-15);
  CHECK(error_of("{type: v, factor: 0}").find("must not be 0") != std::string::npos);
}

TEST_CASE("index may tell a position between two levels", "[diffusion]") {
  const auto told = [](const std::string& how, double sigma) {
    return row("{type: eps, noise_input: {type: index, schedule: {type: ddpm}, " + how + "}}")
        .coefficients(at::full({1}, sigma, at::kDouble))
        .noise.item<double>();
  };
  const auto table = row("{type: eps, noise_input: {type: index, schedule: {type: ddpm}}}").levels;
  for (const std::size_t i : {std::size_t{0}, std::size_t{4}, std::size_t{998}}) {
    const double low = table[i], high = table[i + 1], at = static_cast<double>(i);
    CHECK_THAT(told("round: none", low * std::pow(high / low, 0.3)), WithinAbs(at + 0.3, 1e-9));
    CHECK_THAT(told("round: none, between: sigma", std::lerp(low, high, 0.3)), WithinAbs(at + 0.3, 1e-9));
    CHECK(told("round: index", low * std::pow(high / low, 0.51)) == at + 1);
    CHECK(told("round: down", low * std::pow(high / low, 0.99)) == at);
    for (const std::string round : {"none", "index", "down"}) CHECK(told("round: " + round, low) == at);
  }
  for (const std::string round : {"none", "index", "down"}) {
    CHECK(told("round: " + round, 1e-9) == 0);
    CHECK(told("round: " + round, 1e9) == 999);
  }
  // σ itself is left as it is
  const auto p = row("{type: eps, noise_input: {type: index, schedule: {type: ddpm}, round: none}}");
  CHECK(p.levels.empty());
  CHECK(p.round(0.1234) == 0.1234);
}

TEST_CASE("networks of the sub-VP SDE see its images at its times", "[diffusion]") {
  const auto p = row("{type: eps, scale: sub_vp, noise_input: {type: vp, sde: sub_vp}}");
  for (const double t : {1e-3, 0.3, 1.0}) {
    // s = exp(-B/2), standard deviation 1 - exp(-B) (Song et al. 2021, eq. 12 and 29)
    const double B = 0.5 * 19.9 * t * t + 0.1 * t, s = std::exp(-B / 2), sigma = -std::expm1(-B) / s;
    const auto c = p.coefficients(at::full({1}, sigma, at::kDouble));
    CHECK(std::abs(c.in.item<double>() / s - 1) < 1e-12);
    CHECK(std::abs(c.noise.item<double>() / (999 * t) - 1) < 1e-9);
  }
}

TEST_CASE("iDDPM's levels end at zero, which a network is told as -1", "[diffusion]") {
  const auto p = row("{type: eps, noise_input: {type: index, M: 100}}");
  CHECK(p.levels.size() == 100);
  CHECK(p.levels.front() > 0);
  CHECK(p.rounding.front() == 0.0);
  CHECK(p.coefficients(at::full({1}, 1e-9, at::kDouble)).noise.item<double>() == -1.0);
  CHECK(p.round(1e-9) == 0.0);
}

TEST_CASE("vp tells the time at which the VP SDE has that noise level", "[diffusion]") {
  const auto p = row("{type: eps, noise_input: vp}");
  for (const double t : {1e-5, 1e-3, 0.3, 1.0}) {
    const double sigma = std::sqrt(std::expm1(0.5 * 19.9 * t * t + 0.1 * t));
    CHECK(std::abs(p.coefficients(at::full({1}, sigma, at::kDouble)).noise.item<double>() / (999 * t) - 1) < 1e-12);
    CHECK(std::abs(p.coefficients(at::full({1}, sigma, at::kFloat)).noise.item<double>() / (999 * t) - 1) < 1e-5);
  }
  CHECK(std::abs(p.sigmas.high - 152.167) < 1e-3);
}

TEST_CASE("a consistency function is z at its lowest level", "[diffusion]") {
  const auto p = row("{type: edm, sigma_data: 0.5, sigma_min: 0.002, noise_input: {type: log, factor: 250}}");
  const Tensor sigma = at::tensor({0.002, 0.5, 80.0}, at::kDouble);
  const auto c = p.edm(sigma);
  CHECK_THAT(c.skip[0].item<double>(), Catch::Matchers::WithinRel(1.0, 1e-14));
  CHECK(std::abs(c.out[0].item<double>()) < 1e-11);
  // Song et al. 2023, appendix C
  CHECK_THAT(c.skip[1].item<double>(), Catch::Matchers::WithinRel(0.25 / (0.498 * 0.498 + 0.25), 1e-14));
  CHECK_THAT(c.out[1].item<double>(), Catch::Matchers::WithinRel(0.5 * 0.498 / std::sqrt(0.5), 1e-14));
  CHECK_THAT(c.in[1].item<double>(), Catch::Matchers::WithinRel(1 / std::sqrt(0.5), 1e-14));
  CHECK_THAT(c.noise[2].item<double>(), Catch::Matchers::WithinRel(250 * std::log(80.0), 1e-14));
  CHECK(p.sigmas.low == 0.002);
  const auto low = p.edm(at::full({1}, 0.002, at::kFloat));  // as the command denoise asks
  CHECK(low.skip.item<float>() == 1.0F);
  CHECK(std::abs(low.out.item<float>()) < 1e-9F);
  // F* of a level above: D = x0.
  const double x0 = 0.7, eps = -1.3;
  const auto f = p.coefficients(sigma);
  const Tensor F = f.a * x0 + f.b * eps, z = x0 + sigma.reshape({-1, 1, 1, 1}) * eps, D = c.skip * z + c.out * F;
  CHECK((D - x0).narrow(0, 1, 2).abs().max().item<double>() < 1e-13);
}

TEST_CASE("index tells a multiple of the position where steps count as others", "[diffusion]") {
  const auto p = row("{type: eps, noise_input: {type: index, factor: 0.25, schedule: {type: ddpm, N: 4000}}}");
  const Tensor top = at::full({1}, p.levels.back(), at::kDouble);
  CHECK(p.edm(top).noise.item<double>() == 3999 * 0.25);
}

TEST_CASE("Coefficients have the shape and type of the batch", "[diffusion]") {
  const auto p = row("{}");
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto c = p.coefficients(at::ones({3}, dtype));
    CHECK(c.a.sizes() == at::IntArrayRef{3, 1, 1, 1});
    CHECK(c.noise.sizes() == at::IntArrayRef{3});
    for (const auto& t : {c.a, c.b, c.in, c.noise}) CHECK(t.scalar_type() == dtype);
  }
  CHECK_THROWS(p.coefficients(at::ones({3, 1})));
  CHECK(p.round(0.123) == 0.123);
}

TEST_CASE("Wrong preconditioning options are named", "[diffusion]") {
  CHECK(error_of("{type: edn}").find("edm") != std::string::npos);
  CHECK(error_of("{sigma_data: 0}").find("sigma_data") != std::string::npos);
  CHECK(error_of("{type: eps, sigma_data: 0.5}").find("sigma_data") != std::string::npos);
  CHECK(error_of("{noise_input: lgo}").find("log") != std::string::npos);
  CHECK(error_of("{noise_input: {type: ve, sigma_min: 2, sigma_max: 1}}")
            .find("must be greater than sigma_min = 2, found 1") != std::string::npos);
  CHECK(error_of("{noise_input: {type: index, schedule: edm}}").find("has no table of levels") != std::string::npos);
  CHECK(error_of("{noise_input: {type: vp, M: 1.5}}").find("M") != std::string::npos);
}
