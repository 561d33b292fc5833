#include "edmund/ops/threads.h"

#include <ATen/Parallel.h>

// MKL has a number of its own for each thread; LibTorch for other processors comes without MKL.
extern "C" int MKL_Set_Num_Threads_Local(int count) __attribute__((weak));

namespace edmund::ops {
namespace {

// threads of the fast operators while LibTorch's are held; 0: they are not
thread_local int held = 0;

// Not at::set_num_threads(): that is also the number of threads which begin meanwhile.
int set_library_threads(int count, int blas) {
#ifdef _OPENMP
  omp_set_num_threads(count);
#endif
  return MKL_Set_Num_Threads_Local == nullptr ? 0 : MKL_Set_Num_Threads_Local(blas);
}

}  // namespace

int threads() { return held > 0 ? held : at::get_num_threads(); }

// The first call of at::get_num_threads() in a thread sets its number.
LibraryThreads::LibraryThreads(int count) : fast_(held), library_(at::get_num_threads()), blas_(0) {
  held = threads();
  if (count <= 0) count = library_;
  blas_ = set_library_threads(count, count);
}

LibraryThreads::~LibraryThreads() {
  set_library_threads(library_, blas_);
  held = fast_;
}

}  // namespace edmund::ops
