// As many programs have it: one thread publishes and draws the ticket, all threads of the last
// block read the others' sums behind a barrier, with a single fence on the publishing side.
#include "../device_vector.h"

__global__ void total(float* sums, unsigned* tickets, float* out) {
  __shared__ unsigned ticket;
  __shared__ float slots[32];
  if (threadIdx.x == 0) {
    sums[blockIdx.x] = blockIdx.x + 1.0f;
    __threadfence();
    ticket = atomicInc(tickets, gridDim.x);
  }
  __syncthreads();
  if (ticket == gridDim.x - 1) {
    slots[threadIdx.x] = threadIdx.x < gridDim.x ? sums[threadIdx.x] : 0.0f;
    __syncthreads();
    for (int s = 16; s > 0; s /= 2) {
      if (threadIdx.x < s) slots[threadIdx.x] += slots[threadIdx.x + s];
      __syncthreads();
    }
    if (threadIdx.x == 0) *out = slots[0];
  }
}

int main() {
  DeviceVector<float> sums(20), out(1);
  DeviceVector<unsigned> tickets(std::vector<unsigned>(1, 0));
  total<<<20, 32>>>(sums, tickets, out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 210.0f);
  return check_result();
}
