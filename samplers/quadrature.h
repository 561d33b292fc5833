#pragma once

#include <functional>
#include <vector>

// Integrals that exponential and multistep methods need.
namespace edmund {

/// φ_0 = e^x, φ_k = (φ_{k-1} - 1/(k-1)!)/x = ∫₀¹ e^{(1-τ)x} τ^{k-1}/(k-1)! dτ (Hochbruck &
/// Ostermann 2010, eq. 2.11), to rounding near x = 0 too; k >= 0.
double phi(int k, double x);

/// Weights w of the n distinct nodes for which Σ_j w_j·node_j^i = moment_i, i = 0 … n-1: the
/// quadrature that is exact for polynomials of degree n - 1.
std::vector<double> quadrature_weights(const std::vector<double>& nodes, std::vector<double> moments);

/// ∫ f over [a, b] to 13 digits by bisected 10-point Gauss–Legendre rules; f may have kinks.
double integral(const std::function<double(double)>& f, double a, double b);

}  // namespace edmund
