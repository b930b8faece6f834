// The body of one check: what a lesson's test asks of a student's kernel.
//
// Every function throws Failure for what is wrong, NotRun for what cannot be judged here and InternalError for
// faults of our own; lesson_main.h turns these into verdicts. A check has one runner process of its own, unless the
// command line lets several share one, and every case in it has fresh data and fresh addresses.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attention_case.h"
#include "examine.h"
#include "findings_file.h"
#include "memory_rule.h"
#include "mistake_bank.h"
#include "runner_client.h"
#include "shared_directory.h"
#include "verdict.h"

namespace judge {

// What the checked build found in a case whose outputs were not right.
struct Cause {
  std::string check;  // in which it was found
  SafetyFinding finding;
};

// A runner that a check has left in good order, for the next one.
struct IdleRunner {
  std::unique_ptr<Runner> runner;
  int checks = 0;  // that it has served
};

// What a check needs to know of the run that it belongs to.
struct Workshop {
  std::string device;   // "cpu" or "cuda"
  std::string source;   // the student's file
  std::string library;  // where it is compiled to
  std::string runner;
  std::string sanitizer = "compute-sanitizer";
  std::string directory;  // for files of ours
  std::vector<std::string> compiler;
  Seconds compile_limit{60};
  Seconds answer_limit{10};
  int checks_per_process = 1;  // on a GPU
  IdleRunner idle;
  std::uint64_t seed = 0;
  protocol::Operation operation = protocol::Operation::kForward;  // that the lesson is about
  bool has_lse = false;                                           // the lesson asks for LSE
  bool has_checked_library = false;         // the one that checked_library() builds
  int cause_searches = 0;                   // that find_cause() has made
  std::optional<Cause> cause;               // the first one that was found
  std::map<std::string, Verdict> verdicts;  // of the checks that are finished
  Evidence evidence{naive_mistakes(), {}};  // grows with every case that passes
};

class Check {
 public:
  Check(Workshop& workshop, std::string name);

  // Compiles the student's file and loads the library, which must have the lesson's function.
  void compiles();

  // The launcher launches at least one kernel and nothing reports an error. Values are not looked at.
  void runs(const Case& shape);

  // O is right, and nothing but O and LSE was written. In the lesson on the backward pass: dQ, dK and dV are.
  void values(const Case& shape, const Ask& ask = {});

  // LSE is right; O is not looked at.
  void lse(const Case& shape, const Ask& ask = {});

  // These of dV, dK and dQ are right, by number of protocol::Tensor, whatever the others are.
  void gradients(const Case& shape, const std::vector<int>& tensors);

  // These of delta, dP and dS are right, as attention_backward_stages tells them. Of a file without that function: dQ or
  // dK is right.
  void stage(const Case& shape, const std::vector<int>& tensors);

  // If the file has a forward pass as well, that one keeps no memory for the backward pass.
  void forward_holds_no_memory(const Case& shape);

  // As values(), with nullptr for LSE.
  void values_without_lse(const Case& shape);

  // In a causal problem, changing every key and value that query i cannot see leaves O and LSE of the queries up
  // to i as they are, to the last bit.
  void sees_no_future(const Case& shape, int i);

  // The launcher returns one of these errors, launches nothing and leaves O alone. what: "K = nullptr".
  void refuses(
      const Case& shape, const std::string& what, const std::vector<int>& errors,
      const Ask& ask = {});

  // As refuses(), but right values are accepted as well: the feature is asked for in a later lesson.
  void refuses_or_values(const Case& shape, const std::string& what, int error);

  // The launcher works on the given stream, does not synchronise the device and leaves no error behind.
  void good_manners(const Case& shape);

  // The launcher keeps no memory after the call.
  void holds_no_memory(const Case& shape);

  // Extra memory at N = 4,096 ... 65,536, with launches skipped; shape gives everything but N_q and N_k. Fails if
  // a call fails or memory stays allocated.
  MemoryGrowth measure_memory(Case shape);

  // The same, and fails if it grows faster than this.
  void memory_grows_at_most(const Case& shape, Growth most);

  // The values of the last rows of a problem that is too large for the CPU device to run whole: that runs only the last
  // blocks of the launch.
  void last_rows(const Case& shape);

  // The last of so many heads, each of this shape, in tensors too large to fill: the other heads hold nothing, and again
  // the CPU device runs only the last blocks.
  void last_head(const Case& one_head, int heads);

  // As values(), of the last blocks alone where these have the last rows: for more heads than a grid's y and z can count,
  // with blocks that have tiles for many more queries than there are.
  void values_of_last_blocks(const Case& shape);

  // The same cases again and again, under every schedule of the device. All runs have to be right; a difference in
  // the last bits is only mentioned.
  void repeats(const std::vector<Case>& shapes);

  // No case has a race, an access out of bounds, a read of memory that holds no value. On a GPU the tools of
  // compute-sanitizer look, which do not see all of it; NotRun if they are missing or do not work. To be called once.
  void is_safe(const std::vector<Case>& shapes);

  // The rest is for the CPU device only: it uses a build of the file in which that device sees every access.

  // Tiles of K and V are shared by queries, as traffic_rule.h has it. most_trips: how often a query tile may go
  // through K.
  void shares_keys(const Case& shape, int most_trips);

  // Q, K, V and O move in accesses of 16 bytes.
  void moves_16_bytes(const Case& shape);

  // A causal kernel does not load the tiles of K and V that no query of a tile sees. d and what belongs to it come from
  // shape; N follows from the size of the kernel's tiles.
  void skips_tiles(Case shape);

  // The work is divided as FlashAttention-2 divides it: everything that partition_rule.h has.
  void divides_work();

  // The file is at least so many times as fast as another one of the learner's, which lies beside it. GPU only, and only
  // if the other one is there and right.
  void is_faster_than(const Case& shape, const std::string& other_file, double times);

  // Gives up if a check that is no prerequisite did not pass: what follows would only repeat its message.
  void also_needs(const std::string& other);
  bool did_not_pass(const std::string& other) const;  // false if it was not made

  bool on_cpu() const { return workshop_.device == "cpu"; }

  // Adds a fact to the report, whatever the verdict is.
  void note(const std::string& fact);
  const std::string& notes() const { return notes_; }

  // If outputs are wrong, as a race or a bad access could have made them: asks for the call that failed once more, of
  // the checked build, and adds what that finds. Changes nothing if the search itself fails. CPU device only.
  void find_cause(Failure* failure);

  [[noreturn]] void fail(const Case& shape, const char* kind, const std::string& details);
  [[noreturn]] void not_run(const std::string& reason) { throw NotRun{reason}; }

  // Ends the runner process. Throws Failure if it has said more than it was asked.
  void finish();

  // The same at the end of a check that went well: the next check may get the process.
  void pass_on_runner();

 private:
  bool is_backward() const { return workshop_.operation == protocol::Operation::kBackward; }
  std::string function() const { return protocol::function_name(workshop_.operation); }
  Problem draw_next(const Case& shape);
  void examine(const Problem& problem, const Answer& answer);
  void examine_outputs(const Problem& problem, const Answer& answer, const Evidence& evidence);
  void examine_written_gradients(const Problem& problem, const Answer& answer);
  Ask prepared(Ask ask) const;
  Answer call(const Problem& problem, Ask ask);
  // The answer to a call that succeeded and wrote nothing but its outputs; their values are not looked at.
  Answer sound_answer(const Problem& problem, const Ask& ask);
  Runner& runner();
  void start_checked_runner();
  void is_safe_on_gpu(const std::vector<Case>& shapes);
  std::optional<SafetyFinding> search_last_call();
  Answer counted_call(const Case& shape);
  double median_milliseconds(Runner& runner, const Problem& problem);
  protocol::Counts counted(const Case& shape);
  void expect_refusal(const Case& shape, const Answer& answer, const std::vector<int>& errors);
  Answer call_for_last_rows(const Problem& problem, Ask ask);

  Workshop& workshop_;
  std::string name_;
  std::optional<MemoryShare> memory_share_;  // that the runner's tensors take
  std::unique_ptr<Runner> runner_;
  bool runner_is_checked_ = false;
  bool runner_holds_memory_ = false;  // of the library's
  int checks_of_runner_ = 0;
  struct Call {
    Problem problem;
    Ask ask;
  };
  std::optional<Call> last_call_;  // if it is one that can be asked of the checked build again
  std::uint64_t cases_ = 0;
  std::string notes_;
};

}  // namespace judge
