# Own imported targets for libtorch: find_package(Torch) demands the CUDA toolkit and links libtorch_cuda, while a GPU
# is used here by dlopen.  torch's folders go last (-idirafter): they carry an fmt that breaks spdlog.
set(COROLLA_TORCH_DIR "${CMAKE_CURRENT_SOURCE_DIR}/.deps/torch" CACHE PATH "libtorch (include/ and lib/); scripts/setup.sh fetches it")
if(NOT EXISTS "${COROLLA_TORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "libtorch is not in ${COROLLA_TORCH_DIR}: run scripts/setup.sh, or set COROLLA_TORCH_DIR")
endif()
foreach(_name c10 torch_cpu)
  add_library(torch::${_name} SHARED IMPORTED)
  set_target_properties(torch::${_name} PROPERTIES IMPORTED_LOCATION "${COROLLA_TORCH_DIR}/lib/lib${_name}.so")
endforeach()
target_compile_options(torch::c10 INTERFACE "SHELL:-idirafter ${COROLLA_TORCH_DIR}/include")
# torch's libraries find cudart and cupti beside themselves by our RPATH, which (unlike RUNPATH) reaches what they need.
target_link_options(torch::c10 INTERFACE "LINKER:--disable-new-dtags" "LINKER:-rpath,${COROLLA_TORCH_DIR}/lib")
target_link_libraries(torch::torch_cpu INTERFACE torch::c10)
