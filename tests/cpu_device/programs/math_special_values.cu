// Infinities, NaN and signed zero through the math functions: fmaxf and fminf ignore NaN,
// exp(-inf) is 0, and the constants of math_constants.h are what they say.
#include <cuda_runtime.h>
#include <math_constants.h>

#include <climits>

#include "check.h"

enum {
  kExpNegInf,
  kExpInf,
  kLogZero,
  kMaxNanLeft,
  kMaxNanRight,
  kMinNan,
  kMaxNegInf,
  kRsqrtZero,
  kDivideByZero,
  kFmaExact,
  kAddRn,
  kMulRn,
  kSaturateHigh,
  kSaturateNan,
  kCopySign,
  kInvInf,
  kTanhInf,
  kPowZero,
  kFloatMin,
  kFastExpNegInf,
  kExp2NegInf,
  kHuge,
  kValues
};

__global__ void evaluate(float* f, int* is, float zero, float one) {
  const float inf = CUDART_INF_F, nan = CUDART_NAN_F;
  f[kExpNegInf] = expf(-inf * one);
  f[kExpInf] = expf(inf * one);
  f[kLogZero] = logf(zero);
  f[kMaxNanLeft] = fmaxf(nan, one);
  f[kMaxNanRight] = fmaxf(one, nan);
  f[kMinNan] = fminf(nan, -one);
  f[kMaxNegInf] = fmaxf(-INFINITY, -3.0f * one);
  f[kRsqrtZero] = rsqrtf(zero);
  f[kDivideByZero] = -one / zero;
  // The exact square less the rounded one: zero if the product inside of the fma is rounded.
  const float almost = one + 1.0f / 4096;
  f[kFmaExact] = __fmaf_rn(almost, almost, -(almost * almost));
  f[kAddRn] = __fadd_rn(16777216.0f * one, 1.0f);
  f[kMulRn] = __fmul_rn(0.1f * one, 3.0f);
  f[kSaturateHigh] = __saturatef(7.0f * one);
  f[kSaturateNan] = __saturatef(nan);
  f[kCopySign] = copysignf(3.0f * one, -zero);
  f[kInvInf] = one / inf;
  f[kTanhInf] = tanhf(-inf * one);
  f[kPowZero] = powf(zero, zero);
  f[kFloatMin] = fminf(3.0f, max(one, -2.0f));
  f[kFastExpNegInf] = __expf(-inf * one);
  f[kExp2NegInf] = exp2f(-inf * one);
  f[kHuge] = CUDART_MAX_NORMAL_F;
  is[0] = isnan(nan * one) ? 1 : 0;
  is[1] = isinf(one / zero) ? 1 : 0;
  is[2] = isfinite(one) ? 1 : 0;
  is[3] = isnan(one / zero) ? 1 : 0;
  is[4] = signbit(-zero) ? 1 : 0;
  is[5] = (inf - inf == inf - inf) ? 1 : 0;
  is[6] = isinf(CUDART_INF) && isnan(CUDART_NAN) ? 1 : 0;
  is[7] = __float2int_rn(2.5f * one) * 10 + __float2int_rz(2.9f * one);
  is[8] = __float2int_rd(-0.5f * one) * 10 + __float2int_ru(0.5f * one);
  is[9] = static_cast<int>(__int2float_rn(7) + __uint2float_rn(8u));
}

int main() {
  float* d_f = upload(std::vector<float>(kValues, -77.0f));
  int* d_is = upload(std::vector<int>(10, -1));
  evaluate<<<1, 1>>>(d_f, d_is, 0.0f, 1.0f);
  CHECK_LAUNCH();
  std::vector<float> f = download(d_f, kValues);
  std::vector<int> is = download(d_is, 10);
  const float inf = INFINITY;
  CHECK_EQ(f[kExpNegInf], 0.0f);
  CHECK_EQ(f[kExpInf], inf);
  CHECK_EQ(f[kLogZero], -inf);
  CHECK_EQ(f[kMaxNanLeft], 1.0f);
  CHECK_EQ(f[kMaxNanRight], 1.0f);
  CHECK_EQ(f[kMinNan], -1.0f);
  CHECK_EQ(f[kMaxNegInf], -3.0f);
  CHECK_EQ(f[kRsqrtZero], inf);
  CHECK_EQ(f[kDivideByZero], -inf);
  CHECK_EQ(f[kFmaExact], 1.0f / 16777216);
  CHECK_EQ(f[kAddRn], 16777216.0f);
  CHECK_EQ(f[kMulRn], 0.3f);
  CHECK_EQ(f[kSaturateHigh], 1.0f);
  CHECK_EQ(f[kSaturateNan], 0.0f);
  CHECK_EQ(f[kCopySign], -3.0f);
  CHECK_EQ(f[kInvInf], 0.0f);
  CHECK_EQ(f[kTanhInf], -1.0f);
  CHECK_EQ(f[kPowZero], 1.0f);
  CHECK_EQ(f[kFloatMin], 1.0f);
  CHECK_EQ(f[kFastExpNegInf], 0.0f);
  CHECK_EQ(f[kExp2NegInf], 0.0f);
  CHECK_EQ(f[kHuge], 3.402823466e38f);
  const int expected[10] = {1, 1, 1, 0, 1, 0, 1, 22, -9, 15};
  for (int i = 0; i < 10; ++i) CHECK_EQ(is[i], expected[i]);
  CHECK_CUDA(cudaFree(d_f));
  CHECK_CUDA(cudaFree(d_is));
  return check_result();
}
