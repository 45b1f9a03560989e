# What `cmake --install` gives: the executable, one library, the facade's headers and a CMake package (corolla::corolla).
# The installed files find libtorch where it was at build time.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# One shared library of everything below runtime/: who embeds a client links nothing else and sees neither CAF nor libtorch.
# A library must have a source; this one's code is that of the static libraries.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/libcorolla.cpp CONTENT "// Nothing of its own.\n")
add_library(corolla_shared SHARED ${CMAKE_BINARY_DIR}/generated/libcorolla.cpp)
set_target_properties(corolla_shared PROPERTIES OUTPUT_NAME corolla EXPORT_NAME corolla LINKER_LANGUAGE CXX
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
target_link_libraries(corolla_shared PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,corolla_runtime>"
  INTERFACE nlohmann_json::nlohmann_json)
target_compile_features(corolla_shared INTERFACE cxx_std_20)
target_include_directories(corolla_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/corolla>)
set_target_properties(corolla corolla_shared PROPERTIES INSTALL_RPATH "${COROLLA_TORCH_DIR}/lib")

install(TARGETS corolla RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS corolla_shared EXPORT corolla LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
# runtime/client.hpp and what it includes.
install(FILES runtime/client.hpp runtime/swarm_options.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/corolla/runtime)
install(FILES model/block_range.hpp model/checkpoint.hpp model/ends.hpp model/generation.hpp model/sampler.hpp
  model/tensor.hpp model/tokenizer.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/corolla/model)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/corolla)
install(EXPORT corolla FILE corollaTargets.cmake NAMESPACE corolla:: DESTINATION ${package_dir})
configure_package_config_file(cmake/corollaConfig.cmake.in ${CMAKE_BINARY_DIR}/corollaConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/corollaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/corollaConfig.cmake ${CMAKE_BINARY_DIR}/corollaConfigVersion.cmake
  DESTINATION ${package_dir})
