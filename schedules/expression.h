#pragma once

#include <string_view>
#include <vector>

namespace edmund {

/// A value at t and its derivative there: a dual number of forward-mode differentiation.
struct Dual {
  double value = 0.0, slope = 0.0;
};

/// A formula in one variable, t:
///
///   numbers, t, pi;  + - * / ^ with the usual precedence (^ to the right, before the sign);  ( )
///   exp log sqrt sin cos tan atan sinh cosh tanh expm1 log1p
///
/// Near cancellation write expm1(x) for exp(x) - 1 and log1p(x) for log(1 + x).
class Expression {
 public:
  /// Throws Error that says what is wrong, and in which column of the text, counted from 1.
  explicit Expression(std::string_view text);
  /// By the rules of calculus on doubles, not by differences. Not finite where the formula is not.
  Dual at(double t) const;

 private:
  friend class ExpressionParser;
  using Function = Dual (*)(Dual);
  /// A step of the stack machine that the formula is compiled to.
  struct Step {
    enum class Kind { kNumber, kTime, kAdd, kSubtract, kMultiply, kDivide, kPower, kNegate, kFunction } kind;
    double number = 0.0;
    Function function = nullptr;
  };
  std::vector<Step> steps_;
};

}  // namespace edmund
