// A recursive device function without an end: the stack's guard must stop it before it reaches
// other memory.
#include "fault.h"

__device__ __noinline__ int descend(volatile int* out, int depth) {
  volatile int frame[64];
  frame[depth % 64] = depth;
  out[0] = depth;
  return out[1] != 0 ? descend(out, depth + 1) + frame[(depth + 1) % 64] : 0;
}

__global__ void broken(int* out) {
  if (threadIdx.x == 6) out[2] = descend(out, 0);
}

int main() {
  int* d_out = upload(std::vector<int>(3, 1));
  broken<<<1, 8>>>(d_out);
  CHECK_FAULT(cudaErrorLaunchFailure, "stack_overflow.cu:", "(6,0,0)", "(0,0,0)", "stack");
  return check_result();
}
