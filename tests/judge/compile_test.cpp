#include "judge/compile.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "judge/verdict.h"

namespace judge {
namespace {

const std::vector<std::string> kCompiler = {JUDGE_CXX, "-shared", "-fPIC", "-x", "c++"};

class Compile : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  // What the failure says, "" if there is none.
  std::string complaint(
      const std::string& source, const std::vector<std::string>& compiler = kCompiler,
      Seconds limit = Seconds{60}) {
    try {
      compile(compiler, source, library(), limit);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.kind, "compile error");
      const std::string name = std::filesystem::path(source).filename();
      const std::size_t said = failure.headline.find(name) + name.size();
      return failure.headline.substr(said + 1) +
             (failure.details.empty() ? "" : "\n" + failure.details);
    }
    return "";
  }

  std::string library() const { return directory_.path() + "/library.so"; }

  TemporaryDirectory directory_;
};

TEST_F(Compile, MakesALibrary) {
  EXPECT_EQ(complaint(write("good.cu", "int x;\n")), "");
  EXPECT_TRUE(std::filesystem::exists(library()));
}

TEST_F(Compile, ShowsTheCompilersMessageWithTheStudentsOwnLine) {
  const std::string message = complaint(write("bad.cu", "int x;\nint y = z;\n"));
  EXPECT_NE(message.find("bad.cu:2:9: error: 'z' was not declared"), std::string::npos) << message;
}

TEST_F(Compile, CutsAFloodOfMessages) {
  std::string text;
  for (int n = 0; n < 500; ++n) text += "int x" + std::to_string(n) + " = y;\n";
  const std::string message = complaint(write("flood.cu", text));
  EXPECT_LT(std::count(message.begin(), message.end(), '\n'), 60);
  EXPECT_NE(message.find("more lines"), std::string::npos);
}

TEST_F(Compile, RemovesColours) {
  std::vector<std::string> colourful = kCompiler;
  colourful.push_back("-fdiagnostics-color=always");
  const std::string message = complaint(write("bad.cu", "int y = z;\n"), colourful);
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_NE(message.find("error:"), std::string::npos);
}

TEST_F(Compile, NamesAMissingFile) {
  EXPECT_EQ(complaint(directory_.path() + "/none.cu"), "does not exist");
  EXPECT_EQ(complaint(write("file", "") + "/none.cu"), "does not exist");
}

TEST_F(Compile, NamesADirectory) {
  EXPECT_EQ(complaint(directory_.path()), "is a directory, not a CUDA source file");
}

TEST_F(Compile, DoesNotWaitForAPipe) {
  const std::string path = directory_.path() + "/pipe.cu";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(complaint(path), "is not a regular file");
}

TEST_F(Compile, StopsACompilerThatDoesNotEnd) {
  EXPECT_EQ(
      complaint(write("slow.cu", ""), {"/bin/sh", "-c", "sleep 60"}, Seconds{0.2}),
      "was not compiled within 0 s");
}

TEST_F(Compile, ACompilerThatCannotBeRunIsOurFault) {
  const std::string source = write("good.cu", "int x;\n");
  EXPECT_THROW(compile({"/nonexistent"}, source, library(), Seconds{5}), InternalError);
  EXPECT_THROW(compile({"/bin/sh", "-c", "exit 3"}, source, library(), Seconds{5}), InternalError);
}

TEST_F(Compile, ASilentCompilerIsNotBelieved) {
  EXPECT_EQ(
      complaint(write("good.cu", ""), {"/bin/sh", "-c", "exit 0"}),
      "was compiled without an error, but there is no library");
}

TEST(TemporaryDirectoryTest, GoesAwayWithEverythingInIt) {
  std::string path;
  {
    const TemporaryDirectory directory;
    path = directory.path();
    std::ofstream(path + "/file") << "x";
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryDirectoryTest, AnUnwritablePlaceIsAnInternalError) {
  setenv("TMPDIR", "/nonexistent", 1);
  EXPECT_THROW(TemporaryDirectory{}, InternalError);
  unsetenv("TMPDIR");
}

}  // namespace
}  // namespace judge
