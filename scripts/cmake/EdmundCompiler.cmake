# Build type, and ccache where it is found. Its settings are what precompiled headers and clones in
# several folders need.
get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()

find_program(EDMUND_CCACHE ccache)
if(EDMUND_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_INODECACHE=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${EDMUND_CCACHE})
endif()

# Programs share the libraries' precompiled header, which has to be compiled as they are: -fPIC, not
# -fPIE.
set(CMAKE_CXX_COMPILE_OPTIONS_PIE -fPIC)
