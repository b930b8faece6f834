// Kernels in nested, anonymous and inline namespaces, static kernels, overloads, and static member
// kernels' usual replacement by tags; a launch that picks another overload writes another
// constant.
#include <cuda_runtime.h>

#include "check.h"

namespace math {
__global__ void set(int* out) { *out = 1; }
namespace detail {
__global__ void set(int* out) { *out = 2; }
template <int N>
__global__ void set_to(int* out) {
  *out = N;
}
}  // namespace detail
void launch_own(int* out) { detail::set<<<1, 1>>>(out); }
}  // namespace math

namespace {
__global__ void set(int* out) { *out = 3; }
}  // namespace

inline namespace v2 {
__global__ void set_v2(int* out) { *out = 4; }
}  // namespace v2

static __global__ void set_static(int* out) { *out = 5; }

__global__ void overloaded(int* out, int value) { *out = value; }
__global__ void overloaded(int* out, float value) { *out = static_cast<int>(value * 10); }
__global__ void overloaded(int* out) { *out = 6; }
__global__ void overloaded(float* out) { *out = 7.5f; }

int main() {
  int* d_out = upload(std::vector<int>(12, -1));
  float* d_float = upload(std::vector<float>(1, -1));
  math::set<<<1, 1>>>(d_out);
  math::detail::set<<<1, 1>>>(d_out + 1);
  ::math::detail::set_to<77><<<1, 1>>>(d_out + 2);
  set<<<1, 1>>>(d_out + 3);
  set_v2<<<1, 1>>>(d_out + 4);
  v2::set_v2<<<1, 1>>>(d_out + 5);
  ::set_static<<<1, 1>>>(d_out + 6);
  overloaded<<<1, 1>>>(d_out + 7, 8);
  overloaded<<<1, 1>>>(d_out + 8, 0.5f);
  overloaded<<<1, 1>>>(d_out + 9);
  overloaded<<<1, 1>>>(d_float);
  math::launch_own(d_out + 10);
  {
    using namespace math::detail;
    using math::detail::set_to;
    set_to<78><<<1, 1>>>(d_out + 11);
  }
  CHECK_LAUNCH();
  const int expected[12] = {1, 2, 77, 3, 4, 4, 5, 8, 5, 6, 2, 78};
  std::vector<int> out = download(d_out, 12);
  for (int i = 0; i < 12; ++i) CHECK_EQ(out[i], expected[i]);
  CHECK_EQ(download(d_float, 1)[0], 7.5f);
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_float));
  return check_result();
}
