// The arrays that a caller gives, and everything that can be wrong with them: it is found here, before
// anything is computed, from what DLPack says of them. So the rules are the same for NumPy, PyTorch,
// CuPy and JAX.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "call.h"

namespace flash_lessons {

using Sizes = std::vector<std::int64_t>;

class Arrays {
 public:
  // object: an array, or the capsule of one, which knows its stream.
  void take(int tensor, nanobind::handle object);

  Sizes sizes(int tensor) const;
  void require_sizes(int tensor, const Sizes& expected, const char* why) const;

  // The GPU with the arrays, or -1.
  int gpu() const;

  const float* data(int tensor) const { return static_cast<const float*>(arrays_[tensor].data()); }

 private:
  std::array<nanobind::ndarray<nanobind::ro>, kTensors> arrays_;
  int first_ = -1;
};

// Fills in the sizes, by the rules of attention.h that hold for every lesson.
void set_shape(Call* call, const Sizes& q, const Sizes& k);
void set_scale(Call* call, std::optional<double> softmax_scale);

}  // namespace flash_lessons
