#include "arrays.h"

#include <nanobind/stl/string.h>

#include <cmath>
#include <iterator>
#include <limits>

namespace nb = nanobind;

namespace flash_lessons {
namespace {

constexpr std::int64_t kMaxHeadDim = 128;  // attention.h

std::string words(const Sizes& sizes) {
  std::string text = "(";
  for (std::size_t n = 0; n < sizes.size(); ++n)
    text += (n == 0 ? "" : ", ") + std::to_string(sizes[n]);
  return text + (sizes.size() == 1 ? ",)" : ")");
}

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

[[noreturn]] void fail(int tensor, const std::string& what) {
  throw nb::value_error((std::string(kTensorNames[tensor]) + " " + what).c_str());
}

bool contiguous(const nb::ndarray<nb::ro>& array) {
  if (array.size() == 0) return true;
  std::int64_t expected = 1;
  for (std::size_t n = array.ndim(); n-- > 0;) {
    if (array.shape(n) != 1 && array.stride(n) != expected) return false;
    expected *= static_cast<std::int64_t>(array.shape(n));
  }
  return true;
}

void set_elements(Call* call) {
  const std::uint64_t heads = std::uint64_t(call->batch) * call->num_heads;
  const std::uint64_t heads_kv = std::uint64_t(call->batch) * call->num_heads_kv;
  const std::uint64_t q = heads * call->seq_len_q * call->head_dim;
  const std::uint64_t k = heads_kv * call->seq_len_k * call->head_dim;
  call->elements[kQ] = call->elements[kO] = call->elements[kDO] = call->elements[kDQ] = q;
  call->elements[kK] = call->elements[kV] = call->elements[kDK] = call->elements[kDV] = k;
  call->elements[kLSE] = heads * call->seq_len_q;
}

}  // namespace

void Arrays::take(int tensor, nb::handle object) {
  const char* const name = kTensorNames[tensor];
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
        (std::string(name) + " is " + dtype_words(array.dtype()) + "; float32 is needed").c_str());
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
    fail(tensor, "lies on " + device + ", but " + kTensorNames[first_] + " on " + first_device);
}

Sizes Arrays::sizes(int tensor) const {
  const nb::ndarray<nb::ro>& array = arrays_[tensor];
  Sizes result(array.ndim());
  for (std::size_t n = 0; n < result.size(); ++n) result[n] = array.shape(n);
  return result;
}

void Arrays::require_sizes(int tensor, const Sizes& expected, const char* why) const {
  if (sizes(tensor) != expected)
    fail(
        tensor, "has shape " + words(sizes(tensor)) + "; " + why + ", so " + words(expected) +
                    " is needed");
}

int Arrays::gpu() const {
  const nb::ndarray<nb::ro>& array = arrays_[first_];
  return array.device_type() == nb::device::cuda::value ? array.device_id() : -1;
}

void set_shape(Call* call, const Sizes& q, const Sizes& k) {
  for (const std::int64_t size : {q[0], q[1], q[2], q[3], k[1], k[2]})
    if (size > std::numeric_limits<int>::max())
      throw nb::value_error("a size is above 2^31 - 1, which a kernel cannot be told");
  if (q[0] < 1) fail(kQ, "has an empty batch: its shape is " + words(q));
  if (q[1] < 1) fail(kQ, "has no heads: its shape is " + words(q));
  if (q[3] < 1 || q[3] > kMaxHeadDim)
    fail(kQ, "has head_dim " + std::to_string(q[3]) + "; 1 to 128 are supported");
  if (k[0] != q[0] || k[3] != q[3])
    fail(
        kK, "has shape " + words(k) + ", q " + words(q) +
                "; batch and head_dim, the first and the last size, have to be the same");
  if (k[1] < 1 || q[1] % k[1] != 0)
    fail(
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

}  // namespace flash_lessons
