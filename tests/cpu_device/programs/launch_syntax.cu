// Launch syntax next to everything that looks like it: shifts, nested template closers,
// comparisons, strings, raw strings, comments, odd spacing, launches over several lines with
// nested commas.
#include <cuda_runtime.h>

#include <cstring>

#include "check.h"

/* A comment with kernel<<<1, 1>>>(out); must stay a comment. */
// And so must this: add<<<grid, block>>>(a, b);

template <typename T>
struct Box {
  T value;
};
template <typename T, int N>
struct Row {
  T values[N];
};

__global__ void shift(int* out, int a, int b) {
  out[blockIdx.x * blockDim.x + threadIdx.x] = a << b;
}
template <typename T>
__global__ void size_of(int* out) {
  *out = sizeof(T);
}
template <typename A, typename B>
__global__ void sizes_of(int* out) {
  *out = 100 * sizeof(A) + sizeof(B);
}

int half(int a, int b) { return (a + b) >> 1; }

int main() {
  int* d_out = upload(std::vector<int>(64, -1));
  const int a = 3, b = 2;

  shift<<<1, 1>>>(d_out, a << b, 1 << (2 << 1));
  shift<<<1 << 1, 1 << 2>>>(d_out + 1, 1, 4);
  shift<<<(8 >> 2) - 1, dim3(half(1, 3) >> 1, (4 >> 2), 1)>>>(d_out + 9, 5, 8 >> 3);
  size_of<Box<Box<int>>><<<1, 1>>>(d_out + 10);
  size_of<Row<Box<Row<double, 2>>, (4 >> 1)>><<<1, 1>>>(d_out + 11);
  // clang-format off
  sizes_of<Box<Box<Box<char>>>, Row<Box<short>, 3>> <<<1, 1>>> (d_out + 12);
  shift <<< 1, 1 >>> (d_out + 13, 6, 1);
  shift<<<1,1>>>(d_out+14,7,1);
  shift<<<
      dim3(1, 1, 1),   // grid, with a comment that has a , and a >>> in it
      dim3{1, 1, 1},   /* block <<< */
      sizeof(Box<Box<int>>) * 4,
      static_cast<cudaStream_t>(0)
  >>>(
      d_out + 15,
      half(7, 9),
      a < b ? 9 : 1
  );
  shift<<<a > b ? 1 : 2, b < a>>>(d_out + 16, 9, 1);
  // clang-format on
  CHECK_LAUNCH();
  const int expected[17] = {12 << 16, 16, 16, 16,  16, 16, 16, 16, 16,
                            10,       4,  32, 106, 12, 14, 16, 18};
  std::vector<int> out = download(d_out, 17);
  for (int i = 0; i < 17; ++i) CHECK_EQ(out[i], expected[i]);

  const char* text = "kernel<<<grid, block>>>(a, \"b\"); __shared__ extern __shared__ float x[];";
  CHECK_EQ(std::strlen(text), 72u);
  const char* raw = R"cuda(
shift<<<1, 1>>>(out, ")", '"'); // __device__ int x;
)cuda";
  CHECK_EQ(std::strlen(raw), 54u);
  CHECK_EQ(std::strncmp(raw + 1, "shift<<<1, 1>>>(", 16), 0);
  const char quote = '"';
  CHECK_EQ(quote, 34);
  long big = 1'000'000 >> 3;  // digit separators are not quotes
  CHECK_EQ(big, 125000);
  int shifted = 1 << 3 << 2;
  shifted <<= 2;
  shifted >>= 1;
  CHECK_EQ(shifted, 64);
  CHECK_EQ(1 << (2 << 1), 16);
  CHECK((1 < 2) == (4 >> 1 > 1));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
