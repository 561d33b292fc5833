#pragma once

#include <cstdint>

/// How much of the cache the CPU's operators work on at a time.
namespace edmund::ops::cpu {

/// Limits in floats, each a fraction of a core's second-level cache. They decide what is worked on
/// together, never the order of a sum: results are a function of the config and not of the
/// machine's cache.
struct CacheBudget {
  /// 5/16: a block's transformed tiles, of input and products.
  std::int64_t winograd_tiles;
  /// 1/8: products of a block that are transformed back at once.
  std::int64_t winograd_products;
  /// 1/2: a transformed filter that every thread reads as a whole.
  std::int64_t shared_filter;
  /// 1/8: rows of a matrix that stay in the cache while the panels of the other one pass.
  std::int64_t gemm_rows;
  /// 3/8: rounded pixels of a direct convolution, for the same reason.
  std::int64_t direct_rows;
};
/// Read from the system once; a second-level cache of 1 MiB is assumed where it does not tell, and
/// no more than 2 MiB are used, since larger ones are shared by several cores.
const CacheBudget& cache_budget();
/// That of another second-level cache (tests).
CacheBudget budget_of(std::int64_t l2_bytes);
void use_cache_budget(const CacheBudget& budget);

// Block sizes that decide the order of sums, and so the results: constants, the same on every
// machine.

/// Gradient of a 1×1 filter: pixels that are summed before the next ones join, at least so many in
/// a share; its size up to which shares of the pixels are summed by themselves, and the most of
/// them.
constexpr std::int64_t kGemmChunkPixels = 512, kGemmByPixels = 16'384, kGemmShares = 16;
/// Winograd without cached filter: input channels of a panel that are transformed and summed at a
/// time, and the most tiles for which each thread takes panels of the filter instead of tiles.
constexpr std::int64_t kFilterDepth = 96, kFilterMajorTiles = 128;
/// Gradient of a 3×3 filter: floats of transformed tiles of a block, and its size in transformed
/// floats up to which shares of the blocks are summed by themselves; floats of a chunk beyond that.
constexpr std::int64_t kGradientTiles = 80'000, kGradientByBlocks = 160'000, kGradientChunk = 2'000'000;
/// Tiles of a share beyond the second one (to add up fewer would cost more than it saves), and the
/// most shares.
constexpr std::int64_t kGradientShareTiles = 128, kGradientShares = 16;

/// Direct gradient of a filter: pairs of pixels, a panel each, of images that are summed at once;
/// pixels of a row that is taken for an image where the filter is 1×1.
constexpr std::int64_t kDirectPairs = 262'144, kDirectPixels = 4096;

}  // namespace edmund::ops::cpu
