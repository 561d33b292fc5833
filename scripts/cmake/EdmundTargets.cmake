# edmund_library(NAME SOURCES … USES …): one target of the architecture. USES names other targets
# and imported libraries.
set(EDMUND_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers -Werror)

function(edmund_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;PRIVATE_USES" ${ARGN})
  add_library(edmund_${name} STATIC ${ARG_SOURCES})
  add_library(edmund::${name} ALIAS edmund_${name})
  target_include_directories(edmund_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(edmund_${name} PUBLIC cxx_std_20)
  target_compile_options(edmund_${name} PRIVATE ${EDMUND_WARNINGS})
  target_link_libraries(edmund_${name} PUBLIC ${ARG_USES} PRIVATE ${ARG_PRIVATE_USES})
  set_target_properties(edmund_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY EDMUND_LIBRARIES edmund_${name})
endfunction()

# Lets a target use a precompiled header of LibTorch's tensors. Not of all of LibTorch: twice as
# large, that one takes longer to load than what it spares.
function(edmund_use_torch name)
  target_link_libraries(edmund_${name} PUBLIC edmund_torch)
  if(NOT TARGET edmund_torch_pch)
    add_library(edmund_torch_pch OBJECT ${PROJECT_SOURCE_DIR}/src/ops/precompiled.cpp)
    target_link_libraries(edmund_torch_pch PRIVATE edmund_torch)
    target_compile_options(edmund_torch_pch PRIVATE ${EDMUND_WARNINGS})
    target_precompile_headers(edmund_torch_pch PRIVATE <ATen/ATen.h>)
  endif()
  target_precompile_headers(edmund_${name} REUSE_FROM edmund_torch_pch)
endfunction()

# A library edmund_NAME that holds nothing, in the place of one of LibTorch's that is not there.
function(edmund_empty_library name)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/stubs/empty.c CONTENT "typedef int edmund_empty;\n")
  add_library(edmund_${name} SHARED ${PROJECT_BINARY_DIR}/stubs/empty.c)
endfunction()

# edmund_test(NAME [TORCH] SOURCES … USES …): a Catch2 program; ctest runs its cases under the label
# unit.
function(edmund_test name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;USES" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  # GCC 12 sees overflows in std::string's operator+ that are not there (its bug 105651).
  target_compile_options(test_${name} PRIVATE ${EDMUND_WARNINGS} -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
  target_link_libraries(test_${name} PRIVATE ${ARG_USES} edmund_catch)
  if(ARG_TORCH)
    target_link_libraries(test_${name} PRIVATE edmund_torch)
    target_precompile_headers(test_${name} REUSE_FROM edmund_torch_pch)
  endif()
  add_test(NAME ${name} COMMAND test_${name} "~[golden]~[slow]~[gpu]")
  set_tests_properties(${name} PROPERTIES LABELS unit)
endfunction()

# edmund_golden_test(NAME): the [golden] cases of test_NAME under the ctest label golden; likewise
# slow and gpu.
function(edmund_golden_test name)
  edmund_labelled_test(${name} golden)
  if(TARGET edmund_cuda)  # for EDMUND_TEST_DEVICE=cuda
    set_tests_properties(golden_${name} PROPERTIES ENVIRONMENT EDMUND_CUDA_LIBRARY=$<TARGET_FILE:edmund_cuda>)
  endif()
endfunction()

function(edmund_slow_test name)
  edmund_labelled_test(${name} slow)
endfunction()

# Where there is no GPU, all of its cases say so and the test is shown as skipped.
function(edmund_gpu_test name)
  edmund_labelled_test(${name} gpu)
  set_tests_properties(gpu_${name} PROPERTIES SKIP_RETURN_CODE 4)
  if(TARGET edmund_cuda)
    set_tests_properties(gpu_${name} PROPERTIES ENVIRONMENT EDMUND_CUDA_LIBRARY=$<TARGET_FILE:edmund_cuda>)
  endif()
endfunction()

function(edmund_labelled_test name label)
  add_test(NAME ${label}_${name} COMMAND test_${name} "[${label}]")
  set_tests_properties(${label}_${name} PROPERTIES LABELS ${label})
endfunction()
