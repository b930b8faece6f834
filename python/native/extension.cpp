// flash_lessons._core: loads kernel libraries, looks at the arrays that a caller gives, and calls.
//
// Everything that can be wrong with an array is found here, before anything is computed, from what
// DLPack says of it: so the rules are the same for NumPy, PyTorch, CuPy and JAX.
#include <dlfcn.h>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "call.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace flash_lessons {
namespace {

constexpr std::int64_t kMaxHeadDim = 128;  // attention.h
constexpr std::array<const char*, kTensors> kNames = {"q",  "k",  "v",  "o", "lse",
                                                      "do", "dq", "dk", "dv"};
using Sizes = std::vector<std::int64_t>;

// The CPU device runs one call at a time: what it counts and where it faulted are the device's.
std::mutex cpu_device_mutex;

std::string words(const Sizes& sizes) {
  std::string text = "(";
  for (std::size_t n = 0; n < sizes.size(); ++n)
    text += (n == 0 ? "" : ", ") + std::to_string(sizes[n]);
  return text + (sizes.size() == 1 ? ",)" : ")");
}

// A kernel file, compiled and loaded. It stays loaded until the process ends: arrays may come from
// it, and work may be under way.
class Library {
 public:
  explicit Library(const std::string& path) : path_(path) {
    const std::lock_guard<std::mutex> lock(cpu_device_mutex);
    // DEEPBIND: its own CUDA runtime comes before one that PyTorch has made global.
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
    if (find<int()>("flash_lessons_call_version")() != kCallVersion)
      throw std::runtime_error(path + " was built by another version of flash_lessons");
    is_gpu_ = find<int()>("flash_lessons_is_gpu")() != 0;
    functions_ = find<int()>("flash_lessons_functions")();
    static_bytes_ = find<std::uint64_t()>("flash_lessons_static_bytes")();
    if (!is_gpu_) {  // where it answers for all libraries together
      static std::uint64_t before = 0;
      static_bytes_ -= before;
      before += static_bytes_;
    }
  }

  template <typename Function>
  Function* find(const char* name) const {
    void* const symbol = dlsym(handle_, name);
    if (symbol == nullptr) throw std::runtime_error(path_ + " is no kernel library: " + name);
    return reinterpret_cast<Function*>(symbol);
  }

  bool is_gpu() const { return is_gpu_; }
  bool has_forward() const { return (functions_ & 1) != 0; }
  bool has_backward() const { return (functions_ & 2) != 0; }
  std::uint64_t static_bytes() const { return static_bytes_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  void* handle_ = nullptr;
  bool is_gpu_ = false;
  int functions_ = 0;
  std::uint64_t static_bytes_ = 0;
};

void load_runtime(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) == nullptr)
    throw std::runtime_error(dlerror());
}

// ---- The arrays of a call. ----

std::string dtype_words(nb::dlpack::dtype type) {
  static constexpr const char* kKinds[] = {"int", "uint", "float", "", "bfloat", "complex", "bool"};
  const char* const kind = type.code < std::size(kKinds) ? kKinds[type.code] : "type";
  if (type.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::Bool)) return kind;
  return kind + std::to_string(type.bits);
}

std::string device_words(int type, int id) {
  if (type == nb::device::cpu::value) return "the CPU";
  if (type == nb::device::cuda::value) return "GPU " + std::to_string(id);
  return "a device of DLPack's type " + std::to_string(type);
}

class Arrays {
 public:
  // object: an array, or the capsule of one, which knows its stream.
  void take(int tensor, nb::handle object) {
    const char* const name = kNames[tensor];
    nb::ndarray<nb::ro> array;
    if (!nb::try_cast(object, array, false)) {
      std::string type = nb::cast<std::string>(object.type().attr("__name__"));
      if (nb::hasattr(object, "dtype"))
        type += " of " + nb::cast<std::string>(object.attr("dtype").attr("__str__")());
      throw nb::type_error(
          (std::string(name) + " has to be an array of float32, not " + type).c_str());
    }
    if (array.dtype() != nb::dtype<float>())
      throw nb::type_error(
          (std::string(name) + " is " + dtype_words(array.dtype()) + "; float32 is needed")
              .c_str());
    arrays_[tensor] = array;
    const std::size_t rank = tensor == kLSE ? 3 : 4;
    if (array.ndim() != rank)
      fail(
          tensor,
          "has " + std::to_string(array.ndim()) + " dimensions, shape " + words(sizes(tensor)) +
              "; needed are " + std::to_string(rank) +
              (rank == 3 ? ": (batch, heads, seq_len_q)" : ": (batch, heads, seq_len, head_dim)"));
    if (!contiguous(array))
      fail(
          tensor,
          "is not contiguous; pass a contiguous copy (numpy.ascontiguousarray, Tensor.contiguous)");
    const std::string device = device_words(array.device_type(), array.device_id());
    if (array.device_type() != nb::device::cpu::value &&
        array.device_type() != nb::device::cuda::value)
      fail(tensor, "lies on " + device + "; needed is the CPU or an NVIDIA GPU");
    if (first_ < 0) first_ = tensor;
    const std::string first_device =
        device_words(arrays_[first_].device_type(), arrays_[first_].device_id());
    if (device != first_device)
      fail(tensor, "lies on " + device + ", but " + kNames[first_] + " on " + first_device);
  }

  Sizes sizes(int tensor) const {
    const nb::ndarray<nb::ro>& array = arrays_[tensor];
    Sizes result(array.ndim());
    for (std::size_t n = 0; n < result.size(); ++n) result[n] = array.shape(n);
    return result;
  }

  void require_sizes(int tensor, const Sizes& expected, const char* why) const {
    if (sizes(tensor) != expected)
      fail(
          tensor, "has shape " + words(sizes(tensor)) + "; " + why + ", so " + words(expected) +
                      " is needed");
  }

  // The GPU with the arrays, or -1.
  int gpu() const {
    const nb::ndarray<nb::ro>& array = arrays_[first_];
    return array.device_type() == nb::device::cuda::value ? array.device_id() : -1;
  }

  const float* data(int tensor) const { return static_cast<const float*>(arrays_[tensor].data()); }

  [[noreturn]] static void fail(int tensor, const std::string& what) {
    throw nb::value_error((std::string(kNames[tensor]) + " " + what).c_str());
  }

 private:
  static bool contiguous(const nb::ndarray<nb::ro>& array) {
    if (array.size() == 0) return true;
    std::int64_t expected = 1;
    for (std::size_t n = array.ndim(); n-- > 0;) {
      if (array.shape(n) != 1 && array.stride(n) != expected) return false;
      expected *= static_cast<std::int64_t>(array.shape(n));
    }
    return true;
  }

  std::array<nb::ndarray<nb::ro>, kTensors> arrays_;
  int first_ = -1;
};

void set_elements(Call* call) {
  const std::uint64_t heads = std::uint64_t(call->batch) * call->num_heads;
  const std::uint64_t heads_kv = std::uint64_t(call->batch) * call->num_heads_kv;
  const std::uint64_t q = heads * call->seq_len_q * call->head_dim;
  const std::uint64_t k = heads_kv * call->seq_len_k * call->head_dim;
  call->elements[kQ] = call->elements[kO] = call->elements[kDO] = call->elements[kDQ] = q;
  call->elements[kK] = call->elements[kV] = call->elements[kDK] = call->elements[kDV] = k;
  call->elements[kLSE] = heads * call->seq_len_q;
}

// The rules of attention.h that hold for every lesson.
void set_shape(Call* call, const Sizes& q, const Sizes& k) {
  for (const std::int64_t size : {q[0], q[1], q[2], q[3], k[1], k[2]})
    if (size > std::numeric_limits<int>::max())
      throw nb::value_error("a size is above 2^31 - 1, which a kernel cannot be told");
  if (q[0] < 1 || q[1] < 1) Arrays::fail(kQ, "has no heads: its shape is " + words(q));
  if (q[3] < 1 || q[3] > kMaxHeadDim)
    Arrays::fail(kQ, "has head_dim " + std::to_string(q[3]) + "; 1 to 128 are supported");
  if (k[0] != q[0] || k[3] != q[3])
    Arrays::fail(
        kK, "has shape " + words(k) + ", q " + words(q) +
                "; batch and head_dim, the first and the last size, have to be the same");
  if (k[1] < 1 || q[1] % k[1] != 0)
    Arrays::fail(
        kK, "has " + std::to_string(k[1]) + " heads; the " + std::to_string(q[1]) +
                " heads of q have to be a multiple of them");
  call->batch = static_cast<int>(q[0]);
  call->num_heads = static_cast<int>(q[1]);
  call->num_heads_kv = static_cast<int>(k[1]);
  call->seq_len_q = static_cast<int>(q[2]);
  call->seq_len_k = static_cast<int>(k[2]);
  call->head_dim = static_cast<int>(q[3]);
  set_elements(call);
}

void set_scale(Call* call, std::optional<double> softmax_scale) {
  const double scale = softmax_scale.value_or(1.0 / std::sqrt(double(call->head_dim)));
  call->softmax_scale = static_cast<float>(scale);
  if (!std::isfinite(call->softmax_scale))
    throw nb::value_error("softmax_scale has to be a finite number that fits into float32");
}

// ---- What comes back. ----

nb::dict as_dict(const Accesses& a) {
  nb::dict dict;
  dict["requests"] = a.requests;
  dict["accesses"] = a.accesses;
  dict["bytes"] = a.bytes;
  dict["bytes_16"] = a.bytes_16;
  dict["sectors"] = a.sectors;
  dict["wavefronts"] = a.wavefronts;
  dict["ideal_wavefronts"] = a.ideal_wavefronts;
  return dict;
}

nb::dict as_dict(const Counters& c) {
  nb::dict dict, tensors;
  dict["global_load"] = as_dict(c.global_load);
  dict["global_store"] = as_dict(c.global_store);
  dict["global_atomic"] = as_dict(c.global_atomic);
  dict["shared_load"] = as_dict(c.shared_load);
  dict["shared_store"] = as_dict(c.shared_store);
  dict["shared_atomic"] = as_dict(c.shared_atomic);
  dict["barriers"] = c.barriers;
  dict["warp_syncs"] = c.warp_syncs;
  dict["shuffles"] = c.shuffles;
  dict["votes"] = c.votes;
  dict["exp_calls"] = c.exp_calls;
  for (int t = 0; t < kTensors; ++t) {
    nb::dict one;
    one["load"] = as_dict(c.tensor_load[t]);
    one["store"] = as_dict(c.tensor_store[t]);
    one["atomic"] = as_dict(c.tensor_atomic[t]);
    tensors[kNames[t]] = one;
  }
  dict["tensors"] = tensors;
  return dict;
}

struct Findings {
  struct One {
    std::string severity, kind, place, other_place, kernel, thread, block, message;
    std::uint64_t count;
  };
  std::vector<One> all;

  static void add(void* user, const Finding* f) {
    static_cast<Findings*>(user)->all.push_back(
        {f->severity, f->kind, f->place, f->other_place, f->kernel, f->thread, f->block, f->message,
         f->count});
  }

  nb::list as_list() const {
    nb::list list;
    for (const One& f : all) {
      nb::dict dict;
      dict["severity"] = f.severity;
      dict["kind"] = f.kind;
      dict["place"] = f.place;
      dict["other_place"] = f.other_place;
      dict["kernel"] = f.kernel;
      dict["thread"] = f.thread;
      dict["block"] = f.block;
      dict["message"] = f.message;
      dict["count"] = f.count;
      list.append(dict);
    }
    return list;
  }
};

nb::dict perform(const Library& library, const Call& call) {
  auto* const run = library.find<decltype(flash_lessons_run)>("flash_lessons_run");
  Result result{};
  Findings findings;
  {
    const nb::gil_scoped_release released;
    std::unique_lock<std::mutex> lock(cpu_device_mutex, std::defer_lock);
    if (!library.is_gpu()) lock.lock();
    run(&call, &result, Findings::add, &findings);
  }
  nb::dict dict;
  dict["shape"] = nb::make_tuple(
      call.batch, call.num_heads, call.num_heads_kv, call.seq_len_q, call.seq_len_k, call.head_dim);
  dict["softmax_scale"] = call.softmax_scale;
  dict["error"] = result.error;
  dict["error_name"] = result.error_name;
  dict["error_text"] = result.error_text;
  dict["fault"] = nb::steal<nb::str>(PyUnicode_DecodeUTF8(
      result.report, std::char_traits<char>::length(result.report), "replace"));
  dict["launches"] = result.launches;
  dict["allocations"] = result.allocations;
  dict["peak_bytes"] = result.peak_bytes;
  dict["held_bytes"] = result.held_bytes;
  dict["failed_bytes"] = result.failed_bytes;
  dict["static_bytes"] = library.static_bytes();
  nb::dict tensor_bytes;
  for (int t = 0; t < kTensors; ++t) tensor_bytes[kNames[t]] = result.tensor_bytes[t];
  dict["tensor_bytes"] = tensor_bytes;
  if (call.count) {
    dict["counters"] = as_dict(result.counters);
    dict["findings"] = findings.as_list();
  }
  return dict;
}

// ---- The functions of the module. ----

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
    throw std::runtime_error(std::string("internal error: the array for ") + kNames[tensor]);
  return output;
}

nb::tuple attention(
    const Library& library, nb::handle q, nb::handle k, nb::handle v, bool causal,
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
    const Library& library, nb::handle q, nb::handle k, nb::handle v, nb::handle o, nb::handle lse,
    nb::handle d_o, bool causal, std::optional<double> softmax_scale, std::uintptr_t stream,
    bool count, const nb::callable& allocate, const nb::callable& export_array) {
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
    const Library& library, const Sizes& shape, bool is_backward, bool causal, bool with_lse) {
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
    const Library& library, const std::vector<std::size_t>& shape, int gpu) {
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

void wait(const Library& library, int gpu, std::uintptr_t stream) {
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
  nb::class_<Library>(module, "Library")
      .def(nb::init<const std::string&>(), "path"_a)
      .def_prop_ro("is_gpu", &Library::is_gpu)
      .def_prop_ro("has_forward", &Library::has_forward)
      .def_prop_ro("has_backward", &Library::has_backward)
      .def_prop_ro("path", &Library::path);
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
