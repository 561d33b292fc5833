#pragma once

/// How many threads work on the CPU, and on which of those numbers a result may depend.
///
/// The fast operators sum in an order that is a function of shapes alone: any number of threads
/// gives the same bits. LibTorch's own operators do not (its MKL, oneDNN and loops cut sums, and
/// the ends of vectors, by their number of threads). What must be the same everywhere, such as a
/// training, holds them at a number that is part of its settings, whatever the machine has.
namespace edmund::ops {

/// LibTorch's threads of a training: one, which every machine has, and which takes no core from the
/// fast operators.
constexpr int kLibraryThreads = 1;

/// Threads of the fast CPU operators called from this thread: ATen's number
/// (at::set_num_threads()), also while LibraryThreads holds LibTorch's own operators at another.
int threads();

/// While one lives, LibTorch's own operators that are called from this thread work on `count`
/// threads (0: as many as before), and the fast ones on as many as before. A machine with fewer
/// cores does the same in more time. They may be nested; the innermost counts.
class LibraryThreads {
 public:
  explicit LibraryThreads(int count);
  ~LibraryThreads();
  LibraryThreads(const LibraryThreads&) = delete;
  LibraryThreads& operator=(const LibraryThreads&) = delete;

 private:
  int fast_, library_, blas_;  // threads before
};

}  // namespace edmund::ops
