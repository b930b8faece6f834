// A block per row reuses one scratch array for maximum and sum, with a barrier after every use.
#include "../device_vector.h"

template <typename Combine>
__device__ float block_reduce(float* scratch, float value, Combine combine) {
  scratch[threadIdx.x] = value;
  __syncthreads();
  for (int s = blockDim.x / 2; s > 0; s /= 2) {
    if (threadIdx.x < s) {
      scratch[threadIdx.x] = combine(scratch[threadIdx.x], scratch[threadIdx.x + s]);
    }
    __syncthreads();
  }
  const float result = scratch[0];
  __syncthreads();  // slot 0 is read by all before it is written again
  return result;
}

struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};
struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};

__global__ void softmax(const float* in, float* out, int cols) {
  __shared__ float scratch[64];
  const float* row = in + blockIdx.x * cols;
  float m = -INFINITY, l = 0.0f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) m = fmaxf(m, row[c]);
  m = block_reduce(scratch, m, Max());
  for (int c = threadIdx.x; c < cols; c += blockDim.x) l += expf(row[c] - m);
  l = block_reduce(scratch, l, Sum());
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    out[blockIdx.x * cols + c] = expf(row[c] - m) / l;
  }
}

int main() {
  const int rows = 3, cols = 90;
  std::vector<float> in(rows * cols);
  for (int i = 0; i < rows * cols; ++i) in[i] = 0.1f * (i * 13 % 50);
  DeviceVector<float> d_in(in), d_out(rows * cols);
  softmax<<<rows, 64>>>(d_in, d_out, cols);
  CHECK_LAUNCH();
  const std::vector<float> out = d_out.host();
  for (int r = 0; r < rows; ++r) {
    double sum = 0.0;
    for (int c = 0; c < cols; ++c) sum += out[r * cols + c];
    CHECK_NEAR(sum, 1.0, 1e-5);
  }
  return check_result();
}
