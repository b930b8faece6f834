// Recursion of bounded depth, large local arrays in every thread, device function pointers in
// arguments and in __device__ tables, virtual functions of objects made in the kernel.
#include <cuda_runtime.h>

#include "check.h"

__device__ unsigned ackermann(unsigned m, unsigned n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

__device__ void quicksort(int* data, int left, int right) {
  if (left >= right) return;
  const int pivot = data[(left + right) / 2];
  int i = left, j = right;
  while (i <= j) {
    while (data[i] < pivot) ++i;
    while (data[j] > pivot) --j;
    if (i <= j) {
      const int swap = data[i];
      data[i++] = data[j];
      data[j--] = swap;
    }
  }
  quicksort(data, left, j);
  quicksort(data, i, right);
}

__device__ int add(int a, int b) { return a + b; }
__device__ int multiply(int a, int b) { return a * b; }
typedef int (*Operation)(int, int);
__device__ Operation table[2] = {add, multiply};

__device__ int apply(Operation operation, int a, int b) { return operation(a, b); }

struct Shape {
  __device__ virtual int area() const = 0;
};
struct Square : Shape {
  int side;
  __device__ explicit Square(int s) : side(s) {}
  __device__ int area() const override { return side * side; }
};
struct Strip : Shape {
  int length;
  __device__ explicit Strip(int l) : length(l) {}
  __device__ int area() const override { return length; }
};

__global__ void run(int* out, int* sorted) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  int local[1000];
  for (int k = 0; k < 1000; ++k) local[k] = (k * 617 + i * 31) % 1000;
  quicksort(local, 0, 999);
  __syncthreads();  // every thread keeps its own array across the barrier
  sorted[i] = 1;
  for (int k = 0; k < 1000; ++k) {
    if (local[k] != k) sorted[i] = 0;
  }
  Square square(i);
  Strip strip(1000);
  const Shape* shape = i % 2 == 0 ? static_cast<const Shape*>(&square) : &strip;
  out[i] = static_cast<int>(ackermann(2, i % 5)) + apply(table[i % 2], i, 3) + shape->area();
}

int main() {
  const int n = 64;
  CHECK_CUDA(cudaDeviceSetLimit(cudaLimitStackSize, 64 * 1024));  // a GPU has 1 KiB otherwise
  int* d_out = upload(std::vector<int>(n, -1));
  int* d_sorted = upload(std::vector<int>(n, -1));
  run<<<2, n / 2>>>(d_out, d_sorted);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, n), sorted = download(d_sorted, n);
  for (int i = 0; i < n; ++i) {
    const int applied = i % 2 == 0 ? i + 3 : i * 3, area = i % 2 == 0 ? i * i : 1000;
    CHECK_EQ(out[i], 2 * (i % 5) + 3 + applied + area);
    CHECK_EQ(sorted[i], 1);
  }
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_sorted));
  return check_result();
}
