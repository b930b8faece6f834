/* Kernels for the tests of the counters' C interface, on memory that the test allocates: 32 floats, 32 threads. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* The compiler of the kernels, such as "g++ 12.2.0". */
const char* counted_kernels_compiler(void);

/* Each launches one kernel and returns a cudaError_t. In thread t: */
int copy_32(const float* in, float* out);                         /* out[t] = in[t] */
int scale_32(const float* in, float* out);                        /* out[t] = 2 in[t] */
int copy_alternating(const float* a, const float* b, float* out); /* odd lanes take b's */
int add_atomically(const int* in, int* out);                      /* out[t] += in[t] */
int read_past_the_end(const float* in, float* out);               /* out[t] = in[t + 1] */
/* Through shared memory: 128 bytes of its own, and some that the launch asks for. */
int copy_dynamic(const float* in, float* out, unsigned long bytes);
/* One load, executed by the lower half of the warp before a barrier, by the upper half behind it. */
int phases_of_a_barrier(const float* in, float* out);
/* A loop with a load, which lane t leaves in trip t + 1. */
int early_exits(const float* in, float* out);
/* A loop with a load, 100 (t % 4 + 1) + t trips. */
int long_uneven_trips(const float* in, float* out);
/* A load by the odd lanes, then a loop with a load, 300 trips. */
int late_lanes(const float* in, float* out);

#ifdef __cplusplus
}
#endif
