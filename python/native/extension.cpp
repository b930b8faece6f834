// flash_lessons._core: the functions that Python calls.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.h"
#include "call.h"
#include "kernel_library.h"
#include "perform.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace flash_lessons {
namespace {

// allocate(shape) makes an array for a result; export_array(array) gives what take() accepts.
struct Output {
  nb::object array;
  nb::ndarray<> memory;
};

Output make_output(
    const Arrays& arrays, int tensor, const Sizes& sizes, const nb::callable& allocate,
    const nb::callable& export_array) {
  Output output;
  output.array = allocate(nb::tuple(nb::cast(sizes)));
  output.memory = nb::cast<nb::ndarray<>>(export_array(output.array), false);
  const int gpu =
      output.memory.device_type() == nb::device::cuda::value ? output.memory.device_id() : -1;
  if (gpu != arrays.gpu() || output.memory.dtype() != nb::dtype<float>())
    throw std::runtime_error(std::string("internal error: the array for ") + kTensorNames[tensor]);
  return output;
}

nb::tuple attention(
    const KernelLibrary& library, nb::handle q, nb::handle k, nb::handle v, bool causal,
    std::optional<double> softmax_scale, bool return_lse, std::uintptr_t stream, bool count,
    const nb::callable& allocate, const nb::callable& export_array) {
  Arrays arrays;
  arrays.take(kQ, q);
  arrays.take(kK, k);
  arrays.take(kV, v);
  Call call{};
  set_shape(&call, arrays.sizes(kQ), arrays.sizes(kK));
  arrays.require_sizes(kV, arrays.sizes(kK), "it has to have the shape of k");
  set_scale(&call, softmax_scale);

  const Sizes shape = arrays.sizes(kQ);
  const Output o = make_output(arrays, kO, shape, allocate, export_array);
  Output lse;
  if (return_lse)
    lse = make_output(arrays, kLSE, {shape[0], shape[1], shape[2]}, allocate, export_array);
  for (const int t : {kQ, kK, kV}) call.tensor[t] = const_cast<float*>(arrays.data(t));
  call.tensor[kO] = static_cast<float*>(o.memory.data());
  if (return_lse) call.tensor[kLSE] = static_cast<float*>(lse.memory.data());
  call.causal = causal;
  call.gpu = arrays.gpu();
  call.stream = reinterpret_cast<void*>(stream);
  call.count = count;
  const nb::dict result = perform(library, call);
  return nb::make_tuple(o.array, return_lse ? lse.array : nb::none(), result);
}

nb::tuple backward(
    const KernelLibrary& library, nb::handle q, nb::handle k, nb::handle v, nb::handle o,
    nb::handle lse, nb::handle d_o, bool causal, std::optional<double> softmax_scale,
    std::uintptr_t stream, bool count, const nb::callable& allocate,
    const nb::callable& export_array) {
  Arrays arrays;
  const std::array<nb::handle, 6> given = {q, k, v, o, lse, d_o};
  for (int t = 0; t <= kDO; ++t) arrays.take(t, given[t]);
  Call call{};
  const Sizes shape = arrays.sizes(kQ);
  set_shape(&call, shape, arrays.sizes(kK));
  arrays.require_sizes(kV, arrays.sizes(kK), "it has to have the shape of k");
  arrays.require_sizes(kO, shape, "it has to have the shape of q");
  arrays.require_sizes(kDO, shape, "it has to have the shape of q");
  arrays.require_sizes(kLSE, {shape[0], shape[1], shape[2]}, "it has a number for each row of q");
  set_scale(&call, softmax_scale);

  std::array<Output, 3> gradients;
  for (int n = 0; n < 3; ++n)
    gradients[n] =
        make_output(arrays, kDQ + n, n == 0 ? shape : arrays.sizes(kK), allocate, export_array);
  for (int t = 0; t <= kDO; ++t) call.tensor[t] = const_cast<float*>(arrays.data(t));
  for (int n = 0; n < 3; ++n)
    call.tensor[kDQ + n] = static_cast<float*>(gradients[n].memory.data());
  call.backward = 1;
  call.causal = causal;
  call.gpu = arrays.gpu();
  call.stream = reinterpret_cast<void*>(stream);
  call.count = count;
  const nb::dict result = perform(library, call);
  return nb::make_tuple(gradients[0].array, gradients[1].array, gradients[2].array, result);
}

// A call whose kernels are not launched: nothing is computed, and the launcher allocates.
nb::dict allocate_only(
    const KernelLibrary& library, const Sizes& shape, bool is_backward, bool causal,
    bool with_lse) {
  if (shape.size() != 6) throw nb::value_error("shape has to have six sizes");
  Call call{};
  set_shape(
      &call, {shape[0], shape[1], shape[3], shape[5]}, {shape[0], shape[2], shape[4], shape[5]});
  set_scale(&call, std::nullopt);
  float placeholder = 0;  // never read: tensors are not copied
  for (int t = 0; t < kTensors; ++t) {
    const bool is_used = is_backward || t <= kO || (t == kLSE && with_lse);
    call.tensor[t] = is_used ? &placeholder : nullptr;
  }
  call.backward = is_backward;
  call.causal = causal;
  call.gpu = -1;
  call.skip_launches = 1;
  return perform(library, call);
}

// Memory of a GPU as an array, for libraries whose own arrays cannot be written to (JAX). array_api: an
// object that gives its capsule again and again, where nanobind's default is one capsule, used up by
// whoever takes it first.
nb::ndarray<float, nb::device::cuda, nb::array_api> gpu_array(
    const KernelLibrary& library, const std::vector<std::size_t>& shape, int gpu) {
  struct Owned {
    void* pointer;
    int gpu;
    decltype(flash_lessons_free)* free;
  };
  auto* const allocate = library.find<decltype(flash_lessons_allocate)>("flash_lessons_allocate");
  std::size_t bytes = sizeof(float);
  for (const std::size_t size : shape) bytes *= size;
  void* const pointer = allocate(gpu, std::max<std::size_t>(bytes, 1));
  if (pointer == nullptr) throw std::bad_alloc();
  auto* const owned =
      new Owned{pointer, gpu, library.find<decltype(flash_lessons_free)>("flash_lessons_free")};
  const nb::capsule owner(owned, [](void* data) noexcept {
    const auto* const memory = static_cast<Owned*>(data);
    memory->free(memory->gpu, memory->pointer);
    delete memory;
  });
  return {pointer,
          shape.size(),
          shape.data(),
          owner,
          nullptr,
          nb::dtype<float>(),
          nb::device::cuda::value,
          gpu};
}

void wait(const KernelLibrary& library, int gpu, std::uintptr_t stream) {
  auto* const wait = library.find<decltype(flash_lessons_wait)>("flash_lessons_wait");
  int error = 0;
  {
    const nb::gil_scoped_release released;
    error = wait(gpu, reinterpret_cast<void*>(stream));
  }
  if (error != 0) throw std::runtime_error("CUDA error " + std::to_string(error));
}

}  // namespace
}  // namespace flash_lessons

NB_MODULE(_core, module) {
  using namespace flash_lessons;
  module.doc() = "Loads kernel libraries and calls them; flash_lessons is the public face.";
  nb::class_<KernelLibrary>(module, "Library")
      .def(nb::init<const std::string&>(), "path"_a)
      .def_prop_ro("is_gpu", &KernelLibrary::is_gpu)
      .def_prop_ro("has_forward", &KernelLibrary::has_forward)
      .def_prop_ro("has_backward", &KernelLibrary::has_backward)
      .def_prop_ro("path", &KernelLibrary::path);
  module.attr("NEVER_WRITTEN") = kNeverWritten;
  module.def("load_runtime", &load_runtime, "path"_a);
  module.def(
      "attention", &attention, "library"_a, "q"_a, "k"_a, "v"_a, nb::kw_only(), "causal"_a,
      "softmax_scale"_a.none(), "return_lse"_a, "stream"_a, "count"_a, "allocate"_a,
      "export_array"_a);
  module.def(
      "backward", &backward, "library"_a, "q"_a, "k"_a, "v"_a, "o"_a, "lse"_a, "do"_a,
      nb::kw_only(), "causal"_a, "softmax_scale"_a.none(), "stream"_a, "count"_a, "allocate"_a,
      "export_array"_a);
  module.def(
      "allocate_only", &allocate_only, "library"_a, "shape"_a, nb::kw_only(), "backward"_a,
      "causal"_a, "lse"_a);
  module.def("gpu_array", &gpu_array, "library"_a, "shape"_a, "gpu"_a);
  module.def("wait", &wait, "library"_a, "gpu"_a, "stream"_a);
}
