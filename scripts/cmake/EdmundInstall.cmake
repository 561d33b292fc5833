# cmake --install: the program, the libraries with their headers, and a package for
# find_package(edmund).
include(CMakePackageConfigHelpers)
get_property(libraries GLOBAL PROPERTY EDMUND_LIBRARIES)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/edmund)

if(TARGET edmund)
  install(TARGETS edmund edmund_program RUNTIME)
endif()
if(TARGET edmund_cuda)
  install(TARGETS edmund_cuda LIBRARY)
endif()
install(TARGETS edmund_torch_name LIBRARY)
install(TARGETS ${libraries} EXPORT edmundTargets ARCHIVE)
install(DIRECTORY include/edmund TYPE INCLUDE)
install(EXPORT edmundTargets NAMESPACE edmund:: DESTINATION ${package_folder})
configure_package_config_file(scripts/cmake/edmundConfig.cmake.in edmundConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(edmundConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/edmundConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/edmundConfigVersion.cmake
        scripts/cmake/EdmundDependencies.cmake DESTINATION ${package_folder})
