// Every atomic on int and unsigned, in global and shared memory: the final value, and the old
// values returned, which must be the distinct steps on the way there.
#include <cuda_runtime.h>

#include <algorithm>

#include "check.h"

constexpr int kThreads = 192, kBlocks = 4, kAll = kThreads * kBlocks;
enum Operation { kAdd, kSub, kMax, kMin, kExch, kCas, kAnd, kOr, kXor, kInc, kDec, kOperations };

template <typename T>
__device__ T apply(Operation operation, T* p, T value) {
  switch (operation) {
    case kAdd:
      return atomicAdd(p, value);
    case kSub:
      return atomicSub(p, value);
    case kMax:
      return atomicMax(p, value);
    case kMin:
      return atomicMin(p, value);
    case kExch:
      return atomicExch(p, value);
    case kCas:
      return atomicCAS(p, value, value + 1);  // each value succeeds at most once
    case kAnd:
      return atomicAnd(p, ~(T(1) << (value % 31)));
    case kOr:
      return atomicOr(p, T(1) << (value % 31));
    case kXor:
      return atomicXor(p, T(1) << (value % 31));
    default:
      return 0;
  }
}

template <typename T>
__global__ void all_global(Operation operation, T* word, T* old) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  old[i] = apply(operation, word, T(i));
}

template <typename T>
__global__ void all_shared(Operation operation, T start, T* word, T* old) {
  __shared__ T shared_word;
  if (threadIdx.x == 0) shared_word = start;
  __syncthreads();
  old[threadIdx.x] = apply(operation, &shared_word, T(threadIdx.x));
  __syncthreads();
  if (threadIdx.x == 0) *word = shared_word;
}

__global__ void wrap(unsigned* words, unsigned* old) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  old[i] = atomicInc(&words[0], 99);         // 0, 1, ..., 99, 0, ...
  old[kAll + i] = atomicDec(&words[1], 99);  // 5, 4, ..., 0, 99, ...
}

template <typename T>
void check_operation(Operation operation, T start, T final, std::vector<T> old, int n) {
  std::sort(old.begin(), old.end());
  long long sum = 0;
  T all_bits = start;
  switch (operation) {
    case kAdd:  // the old values are partial sums: only adding 0 can give one of them twice
      for (int i = 0; i < n; ++i) sum += i;
      CHECK_EQ(final, static_cast<T>(start + sum));
      CHECK(std::unique(old.begin(), old.end()) >= old.end() - 1);
      break;
    case kSub:
      for (int i = 0; i < n; ++i) sum += i;
      CHECK_EQ(final, static_cast<T>(start - sum));
      CHECK(old.front() >= static_cast<T>(start - sum));
      CHECK_EQ(old.back(), start);
      break;
    case kMax:
      CHECK_EQ(final, std::max(start, T(n - 1)));
      CHECK_EQ(old.front(), start);
      break;
    case kMin:
      CHECK_EQ(final, std::min(start, T(0)));
      CHECK_EQ(old.back(), start);
      break;
    case kExch:  // nothing is lost and nothing appears twice
      old.push_back(final);
      std::sort(old.begin(), old.end());
      CHECK(std::find(old.begin(), old.end(), start) != old.end());
      old.erase(std::find(old.begin(), old.end(), start));
      for (int i = 0; i < n; ++i) CHECK_EQ(old[i], T(i));
      break;
    case kCas:
      CHECK(final > start && final <= T(n));
      CHECK_EQ(old.front(), start);
      break;
    case kAnd:
      for (int i = 0; i < n; ++i) all_bits &= ~(T(1) << (i % 31));
      CHECK_EQ(final, all_bits);
      break;
    case kOr:
      for (int i = 0; i < n; ++i) all_bits |= T(1) << (i % 31);
      CHECK_EQ(final, all_bits);
      break;
    case kXor:
      for (int i = 0; i < n; ++i) all_bits ^= T(1) << (i % 31);
      CHECK_EQ(final, all_bits);
      break;
    default:
      break;
  }
}

template <typename T>
void run(T add_start) {
  const T starts[kOperations] = {add_start, 1000000, 17,     100000,    12345678,
                                 5,         T(-1),   1 << 5, 0x0f0f0f0f};
  for (int k = kAdd; k <= kXor; ++k) {
    const Operation operation = static_cast<Operation>(k);
    T* d_word = upload(std::vector<T>(1, starts[k]));
    T* d_old = upload(std::vector<T>(kAll));
    all_global<T><<<kBlocks, kThreads>>>(operation, d_word, d_old);
    CHECK_LAUNCH();
    check_operation(operation, starts[k], download(d_word, 1)[0], download(d_old, kAll), kAll);
    all_shared<T><<<1, kThreads>>>(operation, starts[k], d_word, d_old);
    CHECK_LAUNCH();
    check_operation(
        operation, starts[k], download(d_word, 1)[0], download(d_old, kThreads), kThreads);
    CHECK_CUDA(cudaFree(d_word));
    CHECK_CUDA(cudaFree(d_old));
  }
}

int main() {
  run<int>(-1000);
  run<unsigned int>(7);
  unsigned* d_words = upload(std::vector<unsigned>{0, 5});
  unsigned* d_old = upload(std::vector<unsigned>(2 * kAll));
  wrap<<<kBlocks, kThreads>>>(d_words, d_old);
  CHECK_LAUNCH();
  std::vector<unsigned> words = download(d_words, 2), old = download(d_old, 2 * kAll);
  std::vector<int> inc_times(100, 0), dec_times(100, 0), inc_expected(100, 0), dec_expected(100, 0);
  unsigned inc = 0, dec = 5;
  for (int i = 0; i < kAll; ++i) {
    CHECK(old[i] < 100 && old[kAll + i] < 100);
    ++inc_times[old[i] % 100];
    ++dec_times[old[kAll + i] % 100];
    ++inc_expected[inc];
    ++dec_expected[dec];
    inc = inc == 99 ? 0 : inc + 1;
    dec = dec == 0 ? 99 : dec - 1;
  }
  CHECK_EQ(words[0], inc);
  CHECK_EQ(words[1], dec);
  CHECK(inc_times == inc_expected);
  CHECK(dec_times == dec_expected);
  CHECK_CUDA(cudaFree(d_words));
  CHECK_CUDA(cudaFree(d_old));
  return check_result();
}
