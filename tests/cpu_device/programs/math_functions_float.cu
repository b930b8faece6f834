// Float and double math in kernels against the host's double precision, within CUDA's documented
// error bounds.
#include <cuda_runtime.h>

#include "check.h"

constexpr int kFunctions = 26;

__global__ void evaluate(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float x = in[i];     // in (0, 8]
  const float s = x - 4.0f;  // in (-4, 4]
  float* f = out + i * kFunctions;
  f[0] = expf(s);
  f[1] = __expf(s);
  f[2] = exp2f(s);
  f[3] = logf(x);
  f[4] = __logf(x);
  f[5] = log2f(x);
  f[6] = rsqrtf(x);
  f[7] = sqrtf(x);
  f[8] = fmaf(x, s, 1.5f);
  f[9] = __fdividef(s, x);
  f[10] = fabsf(s);
  f[11] = tanhf(s);
  f[12] = erff(s);
  f[13] = powf(x, s);
  f[14] = __powf(x, s);
  f[15] = sinf(s);
  f[16] = cosf(s);
  f[17] = __frcp_rn(x);
  f[18] = __fsqrt_rn(x);
  f[19] = floorf(s) + 100.0f * ceilf(s);
  f[20] = rintf(s) + 100.0f * truncf(s);
  f[21] = log1pf(x);
  f[22] = expm1f(s);
  f[23] = fmodf(x, 1.5f);
  f[24] = exp10f(s);
  f[25] = static_cast<float>(exp(static_cast<double>(s)) * rsqrt(static_cast<double>(x)));
}

int main() {
  const int n = 512;
  std::vector<float> in(n);
  for (int i = 0; i < n; ++i) in[i] = (i + 1) / 64.0f;
  float* d_in = upload(in);
  float* d_out = upload(std::vector<float>(n * kFunctions, NAN));
  evaluate<<<4, 128>>>(d_in, d_out, n);
  CHECK_LAUNCH();
  std::vector<float> out = download(d_out, n * kFunctions);
  for (int i = 0; i < n; ++i) {
    const double x = in[i], s = x - 4.0;
    const double expected[kFunctions] = {
        std::exp(s),
        std::exp(s),
        std::exp2(s),
        std::log(x),
        std::log(x),
        std::log2(x),
        1 / std::sqrt(x),
        std::sqrt(x),
        x * s + 1.5,
        s / x,
        std::fabs(s),
        std::tanh(s),
        std::erf(s),
        std::pow(x, s),
        std::pow(x, s),
        std::sin(s),
        std::cos(s),
        1 / x,
        std::sqrt(x),
        std::floor(s) + 100 * std::ceil(s),
        std::rint(s) + 100 * std::trunc(s),
        std::log1p(x),
        std::expm1(s),
        std::fmod(x, 1.5),
        std::pow(10.0, s),
        std::exp(s) / std::sqrt(x)};
    for (int k = 0; k < kFunctions; ++k) {
      const bool fast = k == 1 || k == 4 || k == 14 || k == 9;
      const double bound = (fast ? 1e-5 : 5e-7) * std::fabs(expected[k]) + (k == 4 ? 1e-6 : 1e-7);
      const float seen = out[i * kFunctions + k];
      if (!(std::fabs(seen - expected[k]) <= bound)) std::printf("function %d, x = %g: ", k, x);
      CHECK_NEAR(seen, expected[k], bound);
    }
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
