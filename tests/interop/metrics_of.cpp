// Prints the metrics of the features in a safetensors file as JSON: real [N, D], generated [M, D],
// logits [M, classes]; neighbors k in its metadata.
#include "edmund/core/text.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/inception_score.h"
#include "edmund/evaluation/kernel_distance.h"
#include "edmund/evaluation/neighbors.h"
#include "edmund/io/tensor_file.h"

#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

int main(int argc, char** argv) try {
  using namespace edmund;
  if (argc != 2) return 2;
  const TensorFile file = read_tensors(argv[1]);
  const Tensor &real = file.at("real"), &generated = file.at("generated");
  const std::int64_t k = parse_integer(file.metadata.at("k")).value();
  Moments of_real, of_generated;
  of_real.add(real), of_generated.add(generated);
  const PrecisionRecall open = precision_recall(real, generated, k, Ball::kOpen),
                        closed = precision_recall(real, generated, k, Ball::kClosed);
  const DensityCoverage naeem = density_coverage(real, generated, k);
  const SplitScore score = inception_score(file.at("logits"));
  const nlohmann::json out = {{"frechet", frechet_distance(of_real, of_generated)},
                              {"kid", kernel_distance(real, generated).value},
                              {"precision", open.precision},
                              {"recall", open.recall},
                              {"precision_closed", closed.precision},
                              {"recall_closed", closed.recall},
                              {"density", naeem.density},
                              {"coverage", naeem.coverage},
                              {"inception_score", score.mean}};
  std::cout << out.dump() << '\n';
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
