// cooperative_groups::reduce with plus, greater, less and bit operators on tiles of several sizes;
// every lane gets the tile's result.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_runtime.h>

#include "check.h"

namespace cg = cooperative_groups;

template <int SIZE>
__global__ void reduce_in_tiles(const int* in, int* sums, float* maxima, int* minima, int* bits) {
  auto tile = cg::tiled_partition<SIZE>(cg::this_thread_block());
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  sums[i] = cg::reduce(tile, in[i], cg::plus<int>());
  maxima[i] = cg::reduce(tile, 0.5f * in[i], cg::greater<float>());
  minima[i] = cg::reduce(tile, in[i], cg::less<int>());
  bits[i] = cg::reduce(tile, in[i] & 0xff, cg::bit_or<int>());
}

__global__ void dot(const double* a, const double* b, double* result, int n) {
  cg::thread_block block = cg::this_thread_block();
  auto warp = cg::tiled_partition<32>(block);
  double sum = 0.0;
  for (int i = block.thread_rank(); i < n; i += block.size()) sum += a[i] * b[i];
  sum = cg::reduce(warp, sum, cg::plus<double>());
  __shared__ double partial[8];
  if (warp.thread_rank() == 0) partial[warp.meta_group_rank()] = sum;
  block.sync();
  if (block.thread_rank() == 0) {
    for (int w = 1; w < warp.meta_group_size(); ++w) partial[0] += partial[w];
    *result = partial[0];
  }
}

template <int SIZE>
void run(const std::vector<int>& in, const int* d_in, int* d_ints, float* d_floats) {
  const int n = static_cast<int>(in.size());
  reduce_in_tiles<SIZE><<<2, n / 2>>>(d_in, d_ints, d_floats, d_ints + n, d_ints + 2 * n);
  CHECK_LAUNCH();
  std::vector<int> ints = download(d_ints, 3 * n);
  std::vector<float> floats = download(d_floats, n);
  for (int i = 0; i < n; ++i) {
    int sum = 0, minimum = in[i], maximum = in[i], bits = 0;
    for (int k = i / SIZE * SIZE; k < i / SIZE * SIZE + SIZE; ++k) {
      sum += in[k];
      minimum = in[k] < minimum ? in[k] : minimum;
      maximum = in[k] > maximum ? in[k] : maximum;
      bits |= in[k] & 0xff;
    }
    CHECK_EQ(ints[i], sum);
    CHECK_EQ(floats[i], 0.5f * maximum);
    CHECK_EQ(ints[n + i], minimum);
    CHECK_EQ(ints[2 * n + i], bits);
  }
}

int main() {
  const int n = 192;
  std::vector<int> in(n);
  for (int i = 0; i < n; ++i) in[i] = (i * 73) % 251 - 100;
  int* d_in = upload(in);
  int* d_ints = upload(std::vector<int>(3 * n, -1));
  float* d_floats = upload(std::vector<float>(n, NAN));
  run<32>(in, d_in, d_ints, d_floats);
  run<16>(in, d_in, d_ints, d_floats);
  run<4>(in, d_in, d_ints, d_floats);

  std::vector<double> a(1000), b(1000);
  double expected = 0.0;
  for (int i = 0; i < 1000; ++i) {
    a[i] = i % 7;
    b[i] = i % 5 - 2;
    expected += a[i] * b[i];
  }
  double* d_a = upload(a);
  double* d_b = upload(b);
  double* d_result = upload(std::vector<double>(1, -1));
  dot<<<1, 256>>>(d_a, d_b, d_result, 1000);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_result, 1)[0], expected);
  for (void* p :
       {(void*)d_in, (void*)d_ints, (void*)d_floats, (void*)d_a, (void*)d_b, (void*)d_result}) {
    CHECK_CUDA(cudaFree(p));
  }
  return check_result();
}
