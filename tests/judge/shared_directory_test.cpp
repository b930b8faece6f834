// Locks between judges that run at the same time.
#include "judge/shared_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "judge/compile.h"
#include "judge/verdict.h"

namespace judge {
namespace {

// Whether somebody else could take a lock now.
bool is_free(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const bool taken = flock(fd, LOCK_EX | LOCK_NB) == 0;
  close(fd);
  return taken;
}

int free_shares(const std::string& directory) {
  int count = 0;
  for (const char* const name : {"/memory-0.lock", "/memory-1.lock"})
    count += is_free(directory + name) ? 1 : 0;
  return count;
}

TEST(SharedDirectory, ALockIsHeldUntilItsEndAndMovesWithItsOwner) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/lock";
  {
    Lock first(path);
    EXPECT_FALSE(is_free(path));
    const Lock second(std::move(first));
    EXPECT_FALSE(is_free(path));
  }
  EXPECT_TRUE(is_free(path));
  EXPECT_THROW(Lock("/no/such/directory/lock"), InternalError);
}

TEST(SharedDirectory, AShareOfTheMemoryLeavesTheOthersAndEverythingLeavesNone) {
  const TemporaryDirectory directory;
  EXPECT_EQ(free_shares(directory.path()), 2);
  {
    const MemoryShare one(directory.path(), false);
    EXPECT_EQ(free_shares(directory.path()), 1);
  }
  {
    const MemoryShare all(directory.path(), true);
    EXPECT_EQ(free_shares(directory.path()), 0);
  }
  EXPECT_EQ(free_shares(directory.path()), 2);
}

TEST(SharedDirectory, IsTheOneThatWasGivenOrOnesOwn) {
  unsetenv("COURSE_SHARED_DIR");
  EXPECT_EQ(shared_directory("/own"), "/own");
  setenv("COURSE_SHARED_DIR", "/shared", 1);
  EXPECT_EQ(shared_directory("/own"), "/shared");
  unsetenv("COURSE_SHARED_DIR");
}

}  // namespace
}  // namespace judge
