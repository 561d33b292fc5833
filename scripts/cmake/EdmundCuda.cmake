# Whether libedmund_cuda.so is built, what GPUs need: a library which the program loads when a GPU
# is asked for. The program is the same without it.
set(EDMUND_CUDA AUTO CACHE STRING "Build libedmund_cuda.so: ON (with LibTorch's CUDA libraries), AUTO (where there is an nvcc) or OFF")
set_property(CACHE EDMUND_CUDA PROPERTY STRINGS AUTO ON OFF)
set(EDMUND_CUDA_ARCHITECTURES 80 90 100 120 CACHE STRING "Compute capabilities that kernels are compiled for, those that this nvcc knows")

set(EDMUND_WITH_CUDA OFF)
if(EDMUND_CUDA)
  find_program(EDMUND_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
  if(EDMUND_NVCC)
    set(EDMUND_WITH_CUDA ON)
  elseif(NOT EDMUND_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "EDMUND_CUDA is ON, but there is no nvcc: put it on PATH, or set CUDA_HOME")
  endif()
endif()

if(EDMUND_WITH_CUDA)
  execute_process(COMMAND ${EDMUND_NVCC} --list-gpu-code OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
  set(CMAKE_CUDA_COMPILER ${EDMUND_NVCC})
  set(CMAKE_CUDA_ARCHITECTURES "")
  foreach(architecture ${EDMUND_CUDA_ARCHITECTURES})
    if(known MATCHES "sm_${architecture}[\r\n]")
      list(APPEND CMAKE_CUDA_ARCHITECTURES ${architecture}-real)
      set(newest ${architecture})
    endif()
  endforeach()
  list(APPEND CMAKE_CUDA_ARCHITECTURES ${newest}-virtual)  # for GPUs of the future
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  set(CMAKE_CUDA_STANDARD 17)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  enable_language(CUDA)
endif()

# Link edmund_cuda to a library of LibTorch's by name. The CPU's LibTorch does not have it, but its
# headers: an empty library of that name stands in for it, and what we build runs where the real one
# is found.
function(edmund_link_torch_cuda name)
  set(real ${EDMUND_TORCH_ROOT}/lib/lib${name}.so)
  if(EXISTS ${real})
    target_link_libraries(edmund_cuda PRIVATE -Wl,--no-as-needed ${real})
    return()
  endif()
  edmund_empty_library(stub_${name})
  set_target_properties(edmund_stub_${name} PROPERTIES OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/stubs)
  target_link_libraries(edmund_cuda PRIVATE -Wl,--no-as-needed edmund_stub_${name})
endfunction()
