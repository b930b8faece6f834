// A process forked from one that has launched a kernel cannot use the device; its parent goes on.
// allow: error launch-error
#include <cuda_runtime.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

__global__ void fill(int* out) { out[blockIdx.x * blockDim.x + threadIdx.x] = 7; }

int in_the_child() {
  void* pointer = nullptr;
  CHECK_ERROR(cudaMalloc(&pointer, 4), cudaErrorInitializationError);
  fill<<<64, 32>>>(nullptr);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInitializationError);
  CHECK_ERROR(cudaDeviceSynchronize(), cudaErrorInitializationError);
  return check_result();
}

int main() {
  int* out = nullptr;
  CHECK_CUDA(cudaMalloc(&out, 64 * 32 * sizeof(int)));
  fill<<<64, 32>>>(out);
  CHECK_CUDA(cudaDeviceSynchronize());
  const pid_t child = fork();
  if (child == 0) _exit(in_the_child());
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

  fill<<<64, 32>>>(out);
  CHECK_CUDA(cudaGetLastError());
  CHECK_CUDA(cudaDeviceSynchronize());
  CHECK_CUDA(cudaFree(out));
  return check_result();
}
