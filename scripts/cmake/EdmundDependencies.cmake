# Libraries that edmund stands on, as imported targets. Installed too: who uses edmund's libraries
# needs the same.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Boost CONFIG REQUIRED)  # Boost.Math, headers alone
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(libwebp IMPORTED_TARGET libwebp)  # for WebP images; may be missing

# Headers alone.
if(NOT TARGET edmund_utfcpp)
  find_path(EDMUND_UTFCPP_INCLUDE utf8/checked.h PATH_SUFFIXES utf8cpp REQUIRED)
  add_library(edmund_utfcpp INTERFACE IMPORTED)
  target_include_directories(edmund_utfcpp SYSTEM INTERFACE ${EDMUND_UTFCPP_INCLUDE})
endif()

# OpenCV: two modules only, which Debian packages one by one (its CMake config asks for all of
# them). Not imgcodecs: with it come GDAL and 120 libraries.
if(NOT TARGET edmund_opencv)
  find_path(EDMUND_OPENCV_INCLUDE opencv2/imgproc.hpp PATH_SUFFIXES opencv4 REQUIRED)
  add_library(edmund_opencv INTERFACE IMPORTED)
  target_include_directories(edmund_opencv SYSTEM INTERFACE ${EDMUND_OPENCV_INCLUDE})
  foreach(module core imgproc)
    find_library(EDMUND_OPENCV_${module} opencv_${module} REQUIRED)
    target_link_libraries(edmund_opencv INTERFACE ${EDMUND_OPENCV_${module}})
  endforeach()
endif()

# LibTorch: a user's own through CMAKE_PREFIX_PATH, else the pinned wheel that scripts/setup
# unpacked. Imported by hand, since the wheel's find_package(Torch) needs a CUDA toolkit even for
# the CPU.
set(EDMUND_TORCH_VERSION 2.11.0)
if(DEFINED ENV{EDMUND_DEPS})
  set(EDMUND_DEPS $ENV{EDMUND_DEPS})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(EDMUND_DEPS $ENV{XDG_CACHE_HOME}/edmund)
else()
  set(EDMUND_DEPS $ENV{HOME}/.cache/edmund)
endif()
if(EDMUND_CUDA AND NOT EDMUND_CUDA STREQUAL "AUTO")
  set(EDMUND_TORCH_FLAVOR cuda)
else()
  set(EDMUND_TORCH_FLAVOR cpu)
endif()
if(EDMUND_TORCH_INCLUDE AND NOT EXISTS ${EDMUND_TORCH_INCLUDE}/ATen/ATen.h)
  unset(EDMUND_TORCH_INCLUDE CACHE)  # it has moved since the last configuration
endif()
find_path(EDMUND_TORCH_INCLUDE ATen/ATen.h
          HINTS ${EDMUND_TORCH_HINT} ${EDMUND_DEPS}/libtorch-${EDMUND_TORCH_VERSION}-${EDMUND_TORCH_FLAVOR}
          PATH_SUFFIXES include torch/include)
if(NOT EDMUND_TORCH_INCLUDE)
  message(FATAL_ERROR "LibTorch is in none of CMAKE_PREFIX_PATH and ${EDMUND_DEPS}: run scripts/setup first")
endif()
cmake_path(GET EDMUND_TORCH_INCLUDE PARENT_PATH EDMUND_TORCH_ROOT)
file(STRINGS ${EDMUND_TORCH_INCLUDE}/torch/headeronly/version.h EDMUND_TORCH_FOUND REGEX "^ +\"[0-9.]+")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" EDMUND_TORCH_FOUND "${EDMUND_TORCH_FOUND}")
if(NOT EDMUND_TORCH_FOUND VERSION_EQUAL EDMUND_TORCH_VERSION)
  message(WARNING "LibTorch in ${EDMUND_TORCH_ROOT} is ${EDMUND_TORCH_FOUND}; edmund is tested with ${EDMUND_TORCH_VERSION}")
endif()

if(NOT TARGET edmund_torch)
  add_library(edmund_torch INTERFACE IMPORTED)
  target_include_directories(edmund_torch SYSTEM INTERFACE ${EDMUND_TORCH_INCLUDE}
                             ${EDMUND_TORCH_INCLUDE}/torch/csrc/api/include)
  # Without -fopenmp in our own flags at::parallel_for is compiled as a serial loop.
  target_compile_options(edmund_torch INTERFACE -fopenmp)
  target_link_libraries(edmund_torch INTERFACE ${EDMUND_TORCH_ROOT}/lib/libtorch_cpu.so ${EDMUND_TORCH_ROOT}/lib/libc10.so)
  # One OpenMP runtime in a process: LibTorch's, where it brings one.
  if(EXISTS ${EDMUND_TORCH_ROOT}/lib/libgomp.so.1)
    target_link_libraries(edmund_torch INTERFACE ${EDMUND_TORCH_ROOT}/lib/libgomp.so.1)
  else()
    target_link_options(edmund_torch INTERFACE -fopenmp)
  endif()
endif()
