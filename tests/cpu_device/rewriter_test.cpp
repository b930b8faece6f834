// The rewriter, construct by construct: what it changes, what it must leave alone, and that no line moves.
#include "rewriter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace {

using cpu_device::rewrite;
using cpu_device::RewriteMode;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string without_spaces(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), ::isspace), text.end());
  return text;
}

void expect_launch(const std::string& source, const std::string& expected) {
  EXPECT_EQ(without_spaces(rewrite(source)), without_spaces(expected)) << source;
}

TEST(RewriterLaunch, PutsTheConfigurationBeforeTheCall) {
  expect_launch(
      "void f() { k<<<g, b>>>(x, y); }",
      "void f() { (::cpu_device::configure(g, b) ? (void)0 : k(x, y)); }");
}

TEST(RewriterLaunch, KeepsSharedBytesAndStream) {
  expect_launch(
      "void f() { k<<<g, b, 4 * n, s>>>(); }",
      "void f() { (::cpu_device::configure(g, b, 4 * n, s) ? (void)0 : k()); }");
}

TEST(RewriterLaunch, TakesTemplateArgumentsAndNamespacesWithTheCallee) {
  expect_launch(
      "void f() { ns::k<64, float><<<g, b>>>(x); }",
      "void f() { (::cpu_device::configure(g, b) ? (void)0 : ns::k<64, float>(x)); }");
  expect_launch(
      "void f() { ::k<A<B<int>>><<<g, b>>>(x); }",
      "void f() { (::cpu_device::configure(g, b) ? (void)0 : ::k<A<B<int>>>(x)); }");
}

TEST(RewriterLaunch, TakesFunctionPointersAndTablesAsCallees) {
  expect_launch(
      "void f() { table[i]<<<g, b>>>(x); }",
      "void f() { (::cpu_device::configure(g, b) ? (void)0 : table[i](x)); }");
  expect_launch(
      "void f() { if (c) (*p)<<<g, b>>>(x); }",
      "void f() { if (c) (::cpu_device::configure(g, b) ? (void)0 : (*p)(x)); }");
  expect_launch(
      "void f() { o.t->k<<<g, b>>>(x); }",
      "void f() { (::cpu_device::configure(g, b) ? (void)0 : o.t->k(x)); }");
}

TEST(RewriterLaunch, StopsAtKeywords) {
  expect_launch(
      "void f() { if (a) k<<<1, 2>>>(x); else k<<<3, 4>>>(y); }",
      "void f() { if (a) (::cpu_device::configure(1, 2) ? (void)0 : k(x)); else "
      "(::cpu_device::configure(3, 4) ? (void)0 : k(y)); }");
}

TEST(RewriterLaunch, FindsTheEndBehindNestedTemplates) {
  expect_launch(
      "void f() { k<<<div<2>(n), T<U<V<int>>>::size>>>(x); }",
      "void f() { (::cpu_device::configure(div<2>(n), T<U<V<int>>>::size) ? (void)0 : k(x)); }");
}

TEST(RewriterLaunch, LeavesShiftsComparisonsStringsAndCharactersAlone) {
  for (const std::string source :
       {"int a = b << c >> d;", "const char* s = \"k<<<1, 2>>>(x)\";",
        "const char* s = R\"(k<<<1, 2>>>(x))\";", "bool c = a < b && b > c;", "char c = '<';",
        "A<B<C<int>>> x(3);", "std::cout << 1 << 2;", "// k<<<1, 2>>>(x)\nint a;",
        "/* k<<<1, 2>>>(x) */ int a;"}) {
    EXPECT_EQ(rewrite(source), source);
  }
}

TEST(RewriterLaunch, LeavesSystemHeadersAlone) {
  const std::string source =
      "# 1 \"a.cu\"\n# 1 \"/usr/include/x.h\" 1 3\nvoid __device__ f() { k<<<1, 2>>>(); }\n";
  EXPECT_EQ(rewrite(source), source);
  EXPECT_TRUE(
      contains(rewrite(source + "# 2 \"a.cu\" 2\nvoid g() { k<<<1, 2>>>(); }\n"), "configure"));
}

TEST(RewriterKernel, MakesADefinitionItsOwnStub) {
  const std::string out = rewrite("__global__ void k(float* p, const int n) { p[n] = 1; }");
  EXPECT_TRUE(contains(
      out, "::cpu_device::Kernel<static_cast<void (*)(float* p, const int n)>(k)>::stub(p, n);"))
      << out;
  EXPECT_FALSE(contains(out, "__global__"));
}

TEST(RewriterKernel, LeavesADeclarationADeclaration) {
  EXPECT_FALSE(contains(rewrite("__global__ void k(float* p);"), "stub"));
  EXPECT_FALSE(contains(rewrite("template __global__ void k<3>(float* p);"), "stub"));
}

TEST(RewriterKernel, NamesTheTemplatesOwnParameters) {
  const std::string out = rewrite(
      "template <int D, typename T = float, class... Rest> static __global__ void k(T* p, Rest... "
      "r) "
      "{ }");
  EXPECT_TRUE(contains(out, "(k<D, T, Rest...>)>::stub(p, r...)")) << out;
}

TEST(RewriterKernel, LeavesSpecialisationsToTheirParameterTypes) {
  const std::string out = rewrite("template <> __global__ void k<float>(float* p) { }");
  EXPECT_TRUE(contains(out, "(k<float>)>::stub(p)")) << out;
}

TEST(RewriterKernel, DropsDefaultArgumentsAndNamesTheNameless) {
  const std::string out = rewrite("__global__ void k(int n = 3, float*, unsigned int = 2) { }");
  EXPECT_TRUE(contains(
      out,
      "static_cast<void (*)(int n, float*, unsigned int)>(k)>::stub(n, cpu_device_argument_1, "
      "cpu_device_argument_2)"))
      << out;
  EXPECT_TRUE(contains(out, "float* cpu_device_argument_1")) << out;
}

TEST(RewriterKernel, UnderstandsArraysFunctionPointersAndTemplatesAsParameters) {
  const std::string out =
      rewrite("__global__ void k(float x[4], void (*f)(int), Pair<int, float> pair, ns::T) { }");
  EXPECT_TRUE(contains(out, "stub(x, f, pair, cpu_device_argument_3)")) << out;
}

TEST(RewriterKernel, PassesLaunchBoundsOnFromEitherSide) {
  for (const std::string source :
       {"__global__ void __launch_bounds__(128, 2) k(int* p) { }",
        "__launch_bounds__(128) __global__ void k(int* p) { }"}) {
    const std::string out = rewrite(source);
    EXPECT_TRUE(contains(out, ", static_cast<unsigned>(128)>::stub(p)")) << out;
    EXPECT_FALSE(contains(out, "__launch_bounds__")) << out;
  }
}

TEST(RewriterShared, MakesStaticSharedMemoryThreadLocal) {
  EXPECT_EQ(
      rewrite("void f() { __shared__ float x[4]; }"), "void f() { static __thread float x[4]; }");
  EXPECT_EQ(
      without_spaces(rewrite("void f() { static __shared__ int n; }")),
      without_spaces("void f() { static __thread int n; }"));
}

TEST(RewriterShared, MakesDynamicSharedMemoryAReferenceToTheBlocksBuffer) {
  const std::string out = rewrite(
      "# 1 \"a.cu\"\nvoid f() { extern __shared__ __attribute__((aligned(16))) float x[]; }");
  EXPECT_TRUE(contains(
      without_spaces(out),
      without_spaces("float (&x)[] = reinterpret_cast<decltype(x)>(cpu_device_dynamic_shared);")))
      << out;
  EXPECT_EQ(out.rfind("# 1 \"a.cu\"\n", 0), 0u) << "the first line names the file";
}

TEST(RewriterShared, KeepsDynamicSharedMemoryAtNamespaceScopeAnArray) {
  const std::string out = rewrite("# 1 \"a.cu\"\nextern __shared__ float x[];\n");
  EXPECT_TRUE(contains(out, "extern __thread float x[] __asm__(\"cpu_device_dynamic_shared\");"))
      << out;
}

TEST(RewriterDeviceVariable, RegistersVariables) {
  for (const std::string source :
       {"__device__ float x[4];", "__constant__ float x[2] = {1, 2};",
        "static __device__ int x = 3;", "namespace n { __device__ A<int> x; }",
        "__device__ struct { int a; } x;", "__attribute__((aligned(16))) __device__ float x[4];",
        "__device__ float4 x{1, 2, 3, 4};", "__device__ int (*x)[3] = &matrix[1];",
        "__device__ float (*x)(float);"}) {
    EXPECT_TRUE(
        contains(rewrite(source), "cpuDeviceRegisterVariable((const void*)&x, sizeof(x), \"x\", "))
        << rewrite(source);
  }
}

TEST(RewriterDeviceVariable, RegistersEveryDeclarator) {
  const std::string out = rewrite("__device__ int a, b[2], c = 1;");
  for (const std::string name : {"a", "b", "c"}) {
    EXPECT_TRUE(contains(out, "sizeof(" + name + ")")) << out;
  }
}

TEST(RewriterDeviceVariable, LeavesFunctionsDeclarationsAndLocalsUnregistered) {
  for (const std::string source :
       {"__device__ float f(int a) { return a; }", "extern __device__ float x;",
        "__device__ __inline__ __attribute__((always_inline)) int f() { return 1; }",
        "struct S { __device__ int f() { return 1; } };",
        "template <class T> __device__ T zero = 0;",
        "__device__ float4 operator+(float4 a, float4 b) { return a; }",
        "auto f = [] __device__ (int i) { return i; };"}) {
    const std::string out = rewrite(source);
    EXPECT_FALSE(contains(out, "Register")) << out;
    EXPECT_FALSE(contains(out, "__device__")) << out;
  }
}

TEST(RewriterPragma, TurnsUnrollIntoGccs) {
  EXPECT_EQ(rewrite("#pragma unroll\nint a;"), "#pragma GCC unroll 16\nint a;");
  EXPECT_EQ(rewrite("#pragma unroll 4\nint a;"), "#pragma GCC unroll 4\nint a;");
  EXPECT_EQ(rewrite("#pragma unroll(8)\nint a;"), "#pragma GCC unroll 8\nint a;");
  EXPECT_EQ(rewrite("#pragma unroll N\nint a;"), "#pragma GCC unroll 16\nint a;");
  EXPECT_EQ(rewrite("#pragma once\nint a;"), "#pragma once\nint a;");
}

TEST(RewriterPragma, DropsUnrollWhereAccessesAreChecked) {
  EXPECT_EQ(rewrite("#pragma unroll\nint a;", RewriteMode::kChecked), "\nint a;");
  EXPECT_EQ(rewrite("#pragma unroll 4\nint a;", RewriteMode::kChecked), "\nint a;");
}

TEST(Rewriter, MovesNoLine) {
  const std::string source =
      "# 1 \"a.cu\"\n__global__ void k(\n    float* p,\n    int n)\n{\n  p[n] = 0;\n}\n"
      "__device__\nfloat x\n[4];\nvoid f() {\n  k<<<\n      1,\n      2>>>(\n      p,\n      3);\n "
      " "
      "ns::\n  k2<1,\n  2><<<1, 1>>>();\n}\nint last;\n";
  const std::string out = rewrite(source);
  const auto line_of_last = [](const std::string& text) {
    return std::count(
        text.begin(), text.begin() + static_cast<ptrdiff_t>(text.find("int last;")), '\n');
  };
  EXPECT_EQ(line_of_last(out), line_of_last(source)) << out;
}

TEST(Rewriter, SurvivesBrokenInput) {
  for (const std::string source :
       {"k<<<1, 2",
        "k<<<1, 2>>>",
        "k<<<>>>()",
        "__global__ void k(",
        "__global__",
        "__shared__",
        "extern __shared__",
        "__device__",
        "\"open",
        "R\"x(open",
        "((((",
        "}}}}",
        "__launch_bounds__",
        "__launch_bounds__(",
        "<<<",
        ">>>",
        "template <",
        "#pragma unroll",
        "__device__ int x[",
        "__global__ void k(int",
        "extern __shared__ float x[]",
        "'",
        "/*"}) {
    rewrite(source);
    rewrite("void f() { " + source);
  }
}

}  // namespace
