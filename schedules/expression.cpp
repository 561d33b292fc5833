#include "expression.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <array>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

namespace edmund {
namespace {

Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
Dual operator*(Dual a, Dual b) { return {a.value * b.value, a.slope * b.value + a.value * b.slope}; }
Dual operator/(Dual a, Dual b) {
  const double value = a.value / b.value;
  return {value, (a.slope - value * b.slope) / b.value};
}

// rate·a', and 0 where a is constant, whatever the rate is.
double chain(double rate, double slope) { return slope == 0 ? 0.0 : rate * slope; }

Dual power(Dual a, Dual b) {
  const double value = std::pow(a.value, b.value);
  const double by_base = b.value == 0 ? 0.0 : chain(b.value * std::pow(a.value, b.value - 1), a.slope);
  return {value, by_base + chain(value * std::log(a.value), b.slope)};
}

struct Named {
  std::string_view name;
  Dual (*function)(Dual);
};
constexpr std::array kFunctions = {
    Named{"exp",
          [](Dual a) {
            return Dual{std::exp(a.value), chain(std::exp(a.value), a.slope)};
          }},
    Named{"log",
          [](Dual a) {
            return Dual{std::log(a.value), chain(1 / a.value, a.slope)};
          }},
    Named{"sqrt",
          [](Dual a) {
            return Dual{std::sqrt(a.value), chain(0.5 / std::sqrt(a.value), a.slope)};
          }},
    Named{"sin",
          [](Dual a) {
            return Dual{std::sin(a.value), chain(std::cos(a.value), a.slope)};
          }},
    Named{"cos",
          [](Dual a) {
            return Dual{std::cos(a.value), chain(-std::sin(a.value), a.slope)};
          }},
    Named{"tan",
          [](Dual a) {
            const double tan = std::tan(a.value);
            return Dual{tan, chain(1 + tan * tan, a.slope)};
          }},
    Named{"atan",
          [](Dual a) {
            return Dual{std::atan(a.value), chain(1 / (1 + a.value * a.value), a.slope)};
          }},
    Named{"sinh",
          [](Dual a) {
            return Dual{std::sinh(a.value), chain(std::cosh(a.value), a.slope)};
          }},
    Named{"cosh",
          [](Dual a) {
            return Dual{std::cosh(a.value), chain(std::sinh(a.value), a.slope)};
          }},
    Named{"tanh",
          [](Dual a) {
            const double cosh = std::cosh(a.value);
            return Dual{std::tanh(a.value), chain(1 / (cosh * cosh), a.slope)};
          }},
    Named{"expm1",
          [](Dual a) {
            return Dual{std::expm1(a.value), chain(std::exp(a.value), a.slope)};
          }},
    Named{"log1p",
          [](Dual a) {
            return Dual{std::log1p(a.value), chain(1 / (1 + a.value), a.slope)};
          }},
};

}  // namespace

// Recursive descent: sum = product {± product}, product = signed {*/ signed}, signed = [±] power,
// power = atom [^ signed].
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, std::vector<Expression::Step>& out) : text_(text), out_(out) {}

  void whole() {
    sum();
    if (at_ < text_.size()) wrong("expected an operator");
  }

 private:
  using Kind = Expression::Step::Kind;
  static constexpr int kDeepest = 100;  // brackets and signs in each other

  void sum() {
    product();
    for (char op = next(); op == '+' || op == '-'; op = next()) {
      ++at_;
      product();
      out_.push_back({op == '+' ? Kind::kAdd : Kind::kSubtract});
    }
  }
  void product() {
    signed_power();
    for (char op = next(); op == '*' || op == '/'; op = next()) {
      ++at_;
      signed_power();
      out_.push_back({op == '*' ? Kind::kMultiply : Kind::kDivide});
    }
  }
  void signed_power() {
    if (++depth_ > kDeepest) wrong(format("more than {} brackets and signs in each other", kDeepest));
    const char sign = next();
    if (sign == '-' || sign == '+') {
      ++at_;
      signed_power();
      if (sign == '-') out_.push_back({Kind::kNegate});
    } else {
      atom();
      if (next() == '^') {
        ++at_;
        signed_power();
        out_.push_back({Kind::kPower});
      }
    }
    --depth_;
  }
  void atom() {
    const char first = next();
    if (first == '(') return bracket();
    if (std::isdigit(static_cast<unsigned char>(first)) != 0 || first == '.') return number();
    if (std::isalpha(static_cast<unsigned char>(first)) != 0) return name();
    wrong("expected a number, t, pi, a function or '('");
  }
  void bracket() {
    const std::size_t opened = at_++;
    sum();
    if (next() != ')') wrong(format("expected ')' for the '(' of column {}", column(opened)));
    ++at_;
  }
  void number() {
    std::size_t end = at_;
    const auto digits = [&] {
      while (end < text_.size() && std::isdigit(static_cast<unsigned char>(text_[end])) != 0) ++end;
    };
    digits();
    if (end < text_.size() && text_[end] == '.') ++end, digits();
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      ++end;
      if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
      digits();
    }
    const auto value = parse_real(text_.substr(at_, end - at_));
    if (!value) wrong(format("{} is no number", in_quotes(text_.substr(at_, end - at_))));
    at_ = end;
    out_.push_back({Kind::kNumber, *value});
  }
  void name() {
    std::size_t end = at_;
    while (end < text_.size() && std::isalnum(static_cast<unsigned char>(text_[end])) != 0) ++end;
    const std::string_view word = text_.substr(at_, end - at_);
    std::vector<std::string_view> known{"t", "pi"};
    if (word == "t") out_.push_back({Kind::kTime});
    if (word == "pi") out_.push_back({Kind::kNumber, std::numbers::pi});
    for (const auto& [called, function] : kFunctions) {
      known.push_back(called);
      if (word != called) continue;
      at_ = end;
      if (next() != '(') wrong(format("expected '(' after {}", word));
      bracket();
      out_.push_back({Kind::kFunction, 0.0, function});
      return;
    }
    if (word != "t" && word != "pi") wrong(format("unknown name {}{}", in_quotes(word), suggestion(word, known)));
    at_ = end;
  }

  // The next character that is no space; 0 at the end.
  char next() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  // Of a byte: characters of several bytes are counted once.
  std::size_t column(std::size_t byte) const {
    std::size_t out = 1;
    for (std::size_t i = 0; i < byte; ++i) out += (static_cast<unsigned char>(text_[i]) & 0xC0U) != 0x80U ? 1 : 0;
    return out;
  }
  [[noreturn]] void wrong(const std::string& what) const {
    fail("column {}: {}{}", column(at_), what, at_ < text_.size() ? "" : ", found the end");
  }

  std::string_view text_;
  std::vector<Expression::Step>& out_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

Expression::Expression(std::string_view text) { ExpressionParser(text, steps_).whole(); }

Dual Expression::at(double t) const {
  std::vector<Dual> stack;
  stack.reserve(steps_.size());
  for (const auto& [kind, number, function] : steps_) {
    using Kind = Step::Kind;
    if (kind == Kind::kNumber || kind == Kind::kTime) {
      stack.push_back(kind == Kind::kTime ? Dual{t, 1.0} : Dual{number, 0.0});
      continue;
    }
    const Dual b = stack.back();
    if (kind == Kind::kNegate || kind == Kind::kFunction) {
      stack.back() = kind == Kind::kNegate ? Dual{-b.value, -b.slope} : function(b);
      continue;
    }
    stack.pop_back();
    const Dual a = stack.back();
    stack.back() = kind == Kind::kAdd        ? a + b
                   : kind == Kind::kSubtract ? a - b
                   : kind == Kind::kMultiply ? a * b
                   : kind == Kind::kDivide   ? a / b
                                             : power(a, b);
  }
  return stack.back();
}

}  // namespace edmund
