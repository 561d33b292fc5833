# cmake -D BUILD=… -D SCRATCH=… -D SOURCE=… -D LIBTORCH=… -P bundle_and_use.cmake
function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${SCRATCH} COMMAND_ERROR_IS_FATAL ANY COMMAND_ECHO STDOUT)
endfunction()

# refused(TEXT LIBTORCH): with that LibTorch the bundle says TEXT in one line and ends with code 2.
function(refused text libtorch)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env EDMUND_LIBTORCH=${libtorch} ${SCRATCH}/edmund/edmund doctor
                  RESULT_VARIABLE code ERROR_VARIABLE said)
  if(NOT code EQUAL 2 OR NOT said MATCHES "^error: [^\n]*${text}[^\n]*\n$")
    message(FATAL_ERROR "expected '${text}' and code 2, found '${said}' and code ${code}")
  endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
file(MAKE_DIRECTORY ${SCRATCH})
run(${SOURCE}/scripts/bundle ${BUILD} ${SCRATCH}/edmund.tar.xz)
file(ARCHIVE_EXTRACT INPUT ${SCRATCH}/edmund.tar.xz DESTINATION ${SCRATCH})

file(GLOB_RECURSE files ${SCRATCH}/edmund/*)
set(bytes 0)
foreach(file ${files})
  file(SIZE ${file} size)
  math(EXPR bytes "${bytes} + ${size}")
endforeach()
if(bytes GREATER 60000000)
  message(FATAL_ERROR "the bundle is of ${bytes} bytes unpacked; at most 60 MB are allowed")
endif()

# LibTorch at another path: the same files by links.
file(MAKE_DIRECTORY ${SCRATCH}/torch/lib ${SCRATCH}/older/lib ${SCRATCH}/older/include/torch/headeronly)
file(GLOB libraries ${LIBTORCH}/lib/*.so*)
foreach(library ${libraries})
  cmake_path(GET library FILENAME name)
  file(CREATE_LINK ${library} ${SCRATCH}/torch/lib/${name} SYMBOLIC)
endforeach()
set(edmund ${CMAKE_COMMAND} -E env EDMUND_LIBTORCH=${SCRATCH}/torch ${SCRATCH}/edmund/edmund)
run(${edmund} --version)
run(${edmund} list)
run(${edmund} doctor)
run(${edmund} train ${SOURCE}/configs/digits.yaml network.channels=16 training.images=256)
run(${edmund} sample runs/digits --images 4 --out pictures sampling.grid.steps=4)

refused("no LibTorch there" ${SCRATCH}/nowhere)
file(TOUCH ${SCRATCH}/older/lib/libtorch_cpu.so)
file(WRITE ${SCRATCH}/older/include/torch/headeronly/version.h
     "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 9\n")
refused("LibTorch 2.9" ${SCRATCH}/older)
