// Reading the logs of compute-sanitizer's tools.
#include "judge/sanitizer_log.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace {

using judge::read_sanitizer_log;
using judge::SafetyFinding;
using judge::SanitizerLog;

SafetyFinding only_finding(const std::string& text) {
  const SanitizerLog log = read_sanitizer_log(text, "/home/me/kernels/a.cu");
  EXPECT_EQ(log.findings.size(), 1u);
  EXPECT_TRUE(log.complete);
  return log.findings.empty() ? SafetyFinding{} : log.findings.front();
}

TEST(SanitizerLog, AWriteOutOfBoundsHasItsPlaceItsThreadAndTheAllocation) {
  const SafetyFinding finding = only_finding(R"(========= COMPUTE-SANITIZER
========= Invalid __global__ write of size 4 bytes
=========     at fill(float *, int)+0xc0 in /home/me/kernels/a.cu:9
=========     by thread (0,0,0) in block (2,0,0)
=========     Access at 0x7f0b2e400100 is out of bounds
=========     and is 1 bytes after the nearest allocation at 0x7f0b2e400000 of size 1,256 bytes
=========
========= Invalid __global__ write of size 4 bytes
=========     at fill(float *, int)+0xc0 in /home/me/kernels/a.cu:9
=========     by thread (1,0,0) in block (2,0,0)
=========     Access at 0x7f0b2e400104 is out of bounds
=========     and is 5 bytes after the nearest allocation at 0x7f0b2e400000 of size 1,256 bytes
=========
========= Program hit cudaErrorLaunchFailure (error 719) due to "unspecified launch failure" on CUDA API call to cudaDeviceSynchronize.
=========
========= ERROR SUMMARY: 3 errors
)");
  EXPECT_EQ(finding.kind, "out of bounds");
  EXPECT_EQ(finding.slug, "global-out-of-bounds");
  EXPECT_EQ(
      finding.headline,
      "write of 4 bytes outside all allocations, 1 byte past the end of an allocation of 1,256 "
      "bytes");
  EXPECT_EQ(finding.details, "at a.cu:9\nfirst: thread (0,0,0) of block (2,0,0)");
}

TEST(SanitizerLog, AFunctionOfAHeaderIsPlacedInTheStudentsFile) {
  const SafetyFinding finding = only_finding(R"(========= COMPUTE-SANITIZER
========= Uninitialized __global__ memory read of size 4 bytes
=========     at atomicAdd(float *, float)+0x60 in /usr/include/device_atomic_functions.hpp:107
=========     by thread (30,0,0) in block (1,0,0)
=========     Address 0x7f65e5204710
=========         Device Frame: add(float *)+0x40 in /home/me/kernels/a.cu:22
=========
========= ERROR SUMMARY: 1 error
)");
  EXPECT_EQ(finding.kind, "uninitialised read");
  EXPECT_EQ(finding.slug, "uninitialised-global");
  EXPECT_EQ(finding.headline, "read of 4 bytes of global memory that nothing has been written to");
  EXPECT_EQ(finding.details, "at a.cu:22\nfirst: thread (30,0,0) of block (1,0,0)");
}

TEST(SanitizerLog, ARaceHasBothLinesAndAWarningCounts) {
  for (const char* const severity : {"Error", "Warning"}) {
    const SafetyFinding finding = only_finding(
        std::string("========= COMPUTE-SANITIZER\n========= ") + severity +
        R"(: Race reported between Write access at tile(float const*, int)+0xd790 in a.cu:324
=========     and Read access at tile(float const*, int)+0xd5c0 in a.cu:312 [16 hazards]
=========
========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)
)");
    EXPECT_EQ(finding.kind, "race");
    EXPECT_EQ(
        finding.headline,
        "threads read and write the same shared memory, without a barrier between them");
    EXPECT_EQ(finding.details, "at a.cu:324 and a.cu:312");
  }
}

TEST(SanitizerLog, EveryPairOfARaceIsAFinding) {
  const SanitizerLog log = read_sanitizer_log(
      R"(========= Error: Race reported between Write access at tile(float const*, int)+0xd790 in a.cu:324
=========     and Read access at tile(float const*, int)+0xd5c0 in a.cu:312 [16 hazards]
=========     and Write access at 0x26d0 in /home/me/b.cu:68:tile(float const*, int) [1,064 hazards]
========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)
)",
      "a.cu");
  ASSERT_EQ(log.findings.size(), 2u);
  EXPECT_EQ(log.findings[1].place, "at a.cu:324 and b.cu:68");
  EXPECT_EQ(
      log.findings[1].headline,
      "threads write to the same shared memory, without a barrier between them");
}

struct Report {
  const char* headline;
  const char* reason;
  const char* kind;
  const char* slug;
  const char* words;
};

TEST(SanitizerLog, EveryKindOfReport) {
  for (const Report& report : {
           Report{
               "Invalid __shared__ read of size 4 bytes", "Address 0x400 is out of bounds",
               "out of bounds", "shared-out-of-bounds",
               "read of 4 bytes outside the shared memory"},
           Report{
               "Invalid __local__ write of size 8 bytes", "Address 0xfffda0 is out of bounds",
               "out of bounds", "local-out-of-bounds", "write of 8 bytes outside the local memory"},
           Report{
               "Invalid __global__ read of size 16 bytes", "Access at 0x7f71b9e01364 is misaligned",
               "misaligned", "misaligned",
               "read of 16 bytes at an address that is not a multiple of 16"},
           Report{
               "Invalid __global__ atomic of size 4 bytes", "Access at 0x8 is out of bounds",
               "out of bounds", "null-pointer",
               "atomic operation on 4 bytes through a null pointer"},
           Report{
               "Uninitialized __shared__ memory read of size 4 bytes", "Address 0x10",
               "uninitialised read", "uninitialised-shared",
               "read of 4 bytes of shared memory that nothing has been written to"},
           Report{
               "Barrier error detected. Divergent thread(s) in block.", "", "hang",
               "divergent-barrier",
               "some threads of the block wait at this barrier, others do not come to it"},
           Report{
               "Barrier error detected. Divergent thread(s) in warp.", "", "hang", "missing-lanes",
               "lanes of one warp come to this barrier apart from each other"},
           Report{
               "Barrier error detected. Invalid arguments", "", "hang", "warp-mask",
               "the arguments of this barrier are not valid"},
           Report{"Illegal instruction", "", "crash", "device-exception", "Illegal instruction"},
           Report{
               "Out-of-range Shared or Local Address", "", "out of bounds", "device-exception",
               "Out-of-range Shared or Local Address"},
       }) {
    const SafetyFinding finding = only_finding(
        std::string("========= ") + report.headline +
        "\n=========     at k(float *)+0x60 in a.cu:31\n"
        "=========     by thread (1,2,3) in block (4,5,6)\n=========     " +
        report.reason + "\n=========\n========= ERROR SUMMARY: 1 error\n");
    EXPECT_EQ(finding.kind, report.kind) << report.headline;
    EXPECT_EQ(finding.slug, report.slug) << report.headline;
    EXPECT_EQ(finding.headline, report.words);
    EXPECT_EQ(finding.details, "at a.cu:31\nfirst: thread (1,2,3) of block (4,5,6)");
  }
}

TEST(SanitizerLog, WhatTheHostDidIsNoFinding) {
  const SanitizerLog log = read_sanitizer_log(
      R"(========= COMPUTE-SANITIZER
========= Host API memory access error at host access to 0x7f5e00000000 of size 512 bytes
=========     Uninitialized access at 0x7f5e00000000 on access by cudaMemcpy source.
=========
========= Program hit cudaErrorInvalidValue (error 1) due to "invalid argument" on CUDA API call to cudaLaunchKernel.
=========     Saved host backtrace up to driver entry point at error
=========
========= Leaked 1,024 bytes at 0x7f5e00000000
=========
========= LEAK SUMMARY: 1024 bytes leaked in 1 allocations
========= ERROR SUMMARY: 3 errors
)",
      "a.cu");
  EXPECT_TRUE(log.findings.empty());
  EXPECT_TRUE(log.complete);
}

TEST(SanitizerLog, AToolThatGivesUpProvesNothing) {
  for (const char* const text : {
           "========= COMPUTE-SANITIZER\n========= Error: Device not supported. Please refer to "
           "the \"Supported Devices\" section\n========= ERROR SUMMARY: 0 errors\n",
           "========= COMPUTE-SANITIZER\n========= Error: No attachable process found.\n",
           "========= COMPUTE-SANITIZER\n========= Internal Sanitizer Error: out of memory\n"
           "========= ERROR SUMMARY: 1 error\n",
       }) {
    const SanitizerLog log = read_sanitizer_log(text, "a.cu");
    EXPECT_FALSE(log.complete) << text;
    EXPECT_FALSE(log.complaint.empty()) << text;
    EXPECT_TRUE(log.findings.empty()) << text;
  }
}

TEST(SanitizerLog, WithoutASummaryNothingIsComplete) {
  for (const char* const text : {"", "========= COMPUTE-SANITIZER\n", "ERROR SUMMARY: 0 errors\n"})
    EXPECT_FALSE(read_sanitizer_log(text, "a.cu").complete) << text;
}

TEST(SanitizerLog, BrokenReportsDoNoHarm) {
  for (const char* const text : {
           "=========",
           "========= Invalid __global__ write of size",
           "=========     by thread ",
           "========= Invalid __global__ read of size x\n=========     by thread (\n",
           "========= x\n=========     at in :\n=========     by thread (1) in block (\n",
           "========= Error: Race reported between \n=========     and  access",
           "========= Invalid __global__ read of size 99999999999999999999999 bytes\n"
           "=========     at k in a.cu:\n=========     by thread (1,0,0) in block (0,0,0)\n",
       })
    read_sanitizer_log(text, "a.cu");
}

// What compute-sanitizer 2025.3.1 of CUDA 13.0 wrote on an H200 about programs of tests/cpu_device/checks/faulty, with
// "--show-backtrace device", and for memcheck "--padding 64" as well.
struct Recording {
  const char* name;
  const char* slug;  // "" if the tool found nothing
  const char* headline;
  const char* details;
};

TEST(SanitizerLog, Recordings) {
  for (const Recording& recording : {
           Recording{
               "memcheck.global_in_header", "global-out-of-bounds",
               "read of 4 bytes outside all allocations, 1 byte past the end of an allocation of "
               "600 bytes",
               "at global_in_header.cu:9\nfirst: thread (21,0,0) of block (2,0,0)"},
           Recording{
               "memcheck.global_off_by_one", "global-out-of-bounds",
               "write of 4 bytes outside all allocations, 1 byte past the end of an allocation of "
               "256 bytes",
               "at global_off_by_one.cu:8\nfirst: thread (0,0,0) of block (2,0,0)"},
           Recording{
               "memcheck.shared_off_by_one_read", "shared-out-of-bounds",
               "read of 4 bytes outside the shared memory",
               "at shared_off_by_one_read.cu:10\nfirst: thread (63,0,0) of block (0,0,0)"},
           Recording{
               "memcheck.null_argument", "null-pointer", "write of 4 bytes through a null pointer",
               "at null_argument.cu:15\nfirst: thread (0,0,0) of block (0,0,0)"},
           Recording{
               "memcheck.misaligned_float4", "misaligned",
               "read of 16 bytes at an address that is not a multiple of 16",
               "at misaligned_float4.cu:8\nfirst: thread (0,0,0) of block (3,0,0)"},
           Recording{
               "racecheck.shared_race_in_header", "shared-race",
               "threads read and write the same shared memory, without a barrier between them",
               "at shared_race_in_header.cuh:9 and shared_race_in_header.cuh:7"},
           Recording{
               "racecheck.shared_race_in_warp_without_syncwarp", "shared-race",
               "threads read and write the same shared memory, without a barrier between them",
               "at shared_race_in_warp_without_syncwarp.cu:10 and "
               "shared_race_in_warp_without_syncwarp.cu:11"},
           Recording{
               "racecheck.shared_race_missing_first_barrier", "shared-race",
               "threads read and write the same shared memory, without a barrier between them",
               "at shared_race_missing_first_barrier.cu:9 and "
               "shared_race_missing_first_barrier.cu:10"},
           Recording{
               "racecheck.shared_race_same_byte", "shared-race",
               "threads write to the same shared memory, without a barrier between them",
               "at shared_race_same_byte.cu:7 and shared_race_same_byte.cu:7"},
           Recording{"racecheck.global_race_row_sums", "", "", ""},
           Recording{
               "initcheck.uninitialised_global_float4", "uninitialised-global",
               "read of 16 bytes of global memory that nothing has been written to",
               "at uninitialised_global_float4.cu:13\nfirst: thread (0,0,0) of block (0,0,0)"},
           Recording{"initcheck.uninitialised_shared_accumulator", "", "", ""},
           Recording{
               "synccheck.divergent_barrier_two_branches", "divergent-barrier",
               "some threads of the block wait at this barrier, others do not come to it",
               "at divergent_barrier_two_branches.cu:8\nfirst: thread (0,0,0) of block (0,0,0)"},
           Recording{
               "synccheck.warp_mask_of_other_branch", "warp-mask",
               "the arguments of this barrier are not valid",
               "at warp_mask_of_other_branch.cu:6\nfirst: thread (32,0,0) of block (0,0,0)"},
           Recording{"synccheck.early_return_in_loop", "", "", ""},
       }) {
    const std::string name = recording.name;
    std::ifstream file(std::string(JUDGE_FIXTURES) + "/sanitizer/" + name + ".txt");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    ASSERT_FALSE(text.empty()) << name;
    const SanitizerLog log = read_sanitizer_log(text, name.substr(name.find('.') + 1) + ".cu");
    EXPECT_TRUE(log.complete) << name;
    ASSERT_EQ(log.findings.empty(), recording.slug[0] == '\0') << name;
    if (log.findings.empty()) continue;
    EXPECT_EQ(log.findings.front().slug, recording.slug) << name;
    EXPECT_EQ(log.findings.front().headline, recording.headline) << name;
    EXPECT_EQ(log.findings.front().details, recording.details) << name;
  }
}

}  // namespace
