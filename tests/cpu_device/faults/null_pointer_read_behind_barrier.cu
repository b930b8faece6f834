// A null row pointer is read in a device function, after a barrier and in a 3-D grid.
#include "fault.h"

struct Rows {
  const float* row[2];
};

constexpr int kLine = __LINE__ + 2;
__device__ __noinline__ float first_of(const Rows& rows, int which) {
  return rows.row[which][0] + 1.0f;
}

__global__ void broken(Rows rows, float* out) {
  __syncthreads();
  const bool last = blockIdx.z == 1 && threadIdx.x == 33;
  const float value = first_of(rows, last ? 1 : 0);
  __syncthreads();
  out[threadIdx.x] = value;
}

int main() {
  float* d_row = upload(std::vector<float>(1, 1.0f));
  float* d_out = upload(std::vector<float>(64, 0.0f));
  broken<<<dim3(1, 1, 2), 64>>>(Rows{{d_row, nullptr}}, d_out);
  CHECK_FAULT(cudaErrorIllegalAddress, SITE(kLine), "(33,0,0)", "(0,0,1)");
  return check_result();
}
