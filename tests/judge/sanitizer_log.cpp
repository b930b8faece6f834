#include "sanitizer_log.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "text.h"

namespace judge {
namespace {

constexpr std::string_view kPrefix = "=========";
constexpr std::uint64_t kNear = std::uint64_t{1}
                                << 30;  // bytes; allocations farther away tell nothing

// A report: its headline, and the lines that are indented below it.
struct Block {
  std::string headline;
  std::vector<std::string> lines;

  // The first line that starts with this, without it.
  std::optional<std::string> behind(std::string_view start) const {
    for (const std::string& line : lines)
      if (line.starts_with(start)) return line.substr(start.size());
    return std::nullopt;
  }
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<Block> blocks_of(const std::string& text) {
  std::vector<Block> blocks;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    line = sanitised(line);
    if (!line.starts_with(kPrefix)) continue;
    line.erase(0, kPrefix.size());
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) continue;
    line.erase(0, indent);
    line.erase(line.find_last_not_of(' ') + 1);
    if (indent <= 1)
      blocks.push_back({line, {}});
    else if (!blocks.empty())
      blocks.back().lines.push_back(line);
  }
  return blocks;
}

// The number that a text begins with, thousands separated or not; 0 if it begins with none.
std::uint64_t leading_number(std::string_view text) {
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c == ',') continue;
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) break;
    number = 10 * number + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

// The number behind a word: number_behind("write of size 4 bytes", "size ") is 4.
std::uint64_t number_behind(std::string_view text, std::string_view word) {
  const std::size_t at = text.find(word);
  return at == std::string_view::npos ? 0 : leading_number(text.substr(at + word.size()));
}

std::string bytes(std::uint64_t count) {
  return with_commas(count) + (count == 1 ? " byte" : " bytes");
}

// "a.cu:12" of "at kernel(float *)+0x160 in /home/me/a.cu:12" and of older tools' "at 0x60 in a.cu:12:kernel(float *)";
// "" without a line.
std::string place_in(const std::string& line) {
  const std::string_view before = " in ";
  const std::size_t in = line.find(before);
  if (in == std::string::npos) return "";
  const std::string rest = line.substr(in + before.size());
  for (std::size_t colon = rest.find(':'); colon != std::string::npos;
       colon = rest.find(':', colon + 1)) {
    std::size_t end = colon + 1;
    while (end < rest.size() && std::isdigit(static_cast<unsigned char>(rest[end])) != 0) ++end;
    if (end > colon + 1) return base_name(rest.substr(0, colon)) + rest.substr(colon, end - colon);
  }
  return "";
}

bool is_in(const std::string& place, const std::string& file) {
  return place.starts_with(file + ":");
}

// Where an access is: the line of the student's file that leads to it, if one does.
std::string place_of(const Block& block, const std::string& file) {
  std::string first;
  for (const std::string& line : block.lines) {
    if (!line.starts_with("at ") && !line.starts_with("Device Frame:")) continue;
    const std::string place = place_in(line);
    if (is_in(place, file)) return place;
    if (first.empty()) first = place;
  }
  return first;
}

// "\nfirst: thread (1,0,0) of block (0,0,0)"
std::string thread_words(const Block& block) {
  const auto line = block.behind("by thread ");
  const std::string_view middle = " in block ";
  const std::size_t in = line ? line->find(middle) : std::string::npos;
  if (in == std::string::npos) return "";
  const std::string behind = line->substr(in + middle.size());
  return "\nfirst: thread " + line->substr(0, in) + " of block " +
         behind.substr(0, behind.find(')') + 1);
}

SafetyFinding finding(
    std::string slug, std::string headline, const std::string& place, const std::string& thread) {
  const std::string where = place.empty() ? "" : "at " + place;
  std::string details = where + thread;
  if (details.starts_with('\n')) details.erase(0, 1);
  return {kind_of_finding(slug), std::move(headline), details, std::move(slug), where};
}

// "of shared memory", and the word for it in a slug.
struct Memory {
  const char* slug;
  const char* words;
};

Memory memory_of(std::string_view headline) {
  if (contains(headline, "__shared__")) return {"shared", "shared memory"};
  if (contains(headline, "__local__")) return {"local", "local memory"};
  return {"global", "global memory"};
}

// Where an address lies, which the tool tells in one line or in two.
std::string position_words(const Block& block) {
  for (const std::string& line : block.lines) {
    const std::size_t of_size = line.find("of size ");
    if (!contains(line, "nearest allocation") || of_size == std::string::npos) continue;
    const std::uint64_t distance = std::max(number_behind(line, "is "), std::uint64_t{1});
    if (distance > kNear || contains(line, " inside ")) return "";
    return bytes(distance) + (contains(line, " before ") ? " before" : " past the end of") +
           " an allocation of " + bytes(number_behind(line, "of size "));
  }
  return "";
}

// The address that the tool names is one that every null pointer with a small index gives.
bool is_near_null(const Block& block) {
  for (const std::string& line : block.lines) {
    for (const std::string_view start : {"Access at 0x", "Address 0x", "Access to 0x"}) {
      if (!line.starts_with(start)) continue;
      const std::string digits = line.substr(start.size());
      const std::size_t end = digits.find_first_not_of("0123456789abcdefABCDEF");
      const std::string address = digits.substr(0, end);
      const std::size_t first = address.find_first_not_of('0');
      return first == std::string::npos || address.size() - first <= 4;  // below 64 KiB
    }
  }
  return false;
}

bool says(const Block& block, std::string_view words) {
  return contains(block.headline, words) ||
         std::any_of(block.lines.begin(), block.lines.end(), [&](const std::string& line) {
           return contains(line, words);
         });
}

// "Invalid __global__ write of size 4 bytes"
SafetyFinding access_finding(const Block& block, const std::string& file) {
  const Memory memory = memory_of(block.headline);
  const std::uint64_t size = number_behind(block.headline, "of size ");
  std::string what = contains(block.headline, "atomic")  ? "atomic operation on "
                     : contains(block.headline, "write") ? "write of "
                                                         : "read of ";
  what += bytes(size);
  std::string slug = std::string(memory.slug) + "-out-of-bounds";
  if (says(block, "misaligned")) {
    slug = "misaligned";
    what += " at an address that is not a multiple of " + with_commas(size);
  } else if (memory.slug == std::string_view("global") && is_near_null(block)) {
    slug = "null-pointer";
    what += " through a null pointer";
  } else {
    const std::string position = position_words(block);
    what += " outside " +
            (memory.slug == std::string_view("global") ? std::string("all allocations")
                                                       : "the " + std::string(memory.words)) +
            (position.empty() ? "" : ", " + position);
  }
  return finding(slug, what, place_of(block, file), thread_words(block));
}

SafetyFinding uninitialised_finding(const Block& block, const std::string& file) {
  const Memory memory = memory_of(block.headline);
  const std::uint64_t size = number_behind(block.headline, "of size ");
  return finding(
      std::string("uninitialised-") + memory.slug,
      "read of " + bytes(size) + " of " + memory.words + " that nothing has been written to",
      place_of(block, file), thread_words(block));
}

// "Barrier error detected. Divergent thread(s) in block."
SafetyFinding barrier_finding(const Block& block, const std::string& file) {
  const std::string place = place_of(block, file), thread = thread_words(block);
  if (contains(block.headline, "in block"))
    return finding(
        "divergent-barrier",
        "some threads of the block wait at this barrier, others do not come to it", place, thread);
  if (contains(block.headline, "in warp"))
    return finding(
        "missing-lanes", "lanes of one warp come to this barrier apart from each other", place,
        thread);
  return finding("warp-mask", "the arguments of this barrier are not valid", place, thread);
}

// Everything else that a thread did: "Illegal instruction", "Stack overflow".
SafetyFinding other_finding(const Block& block, const std::string& file) {
  SafetyFinding result =
      finding("device-exception", block.headline, place_of(block, file), thread_words(block));
  result.kind = contains(block.headline, "ddress") ? "out of bounds" : "crash";
  return result;
}

// "Error: Race reported between Write access at f(int *)+0x90 in a.cu:18", and one line for each other access:
// "and Read access at f(int *)+0x1f0 in a.cu:27 [508 hazards]".
void add_races(const Block& block, std::string_view first, std::vector<SafetyFinding>* findings) {
  for (const std::string& line : block.lines) {
    if (!line.starts_with("and ") || !contains(line, " access")) continue;
    const bool both_write = first.starts_with("Write") && line.starts_with("and Write");
    std::string place = place_in(block.headline);
    const std::string other = place_in(line);
    if (!other.empty()) place += (place.empty() ? "" : " and ") + other;
    findings->push_back(finding(
        "shared-race",
        both_write ? "threads write to the same shared memory, without a barrier between them"
                   : "threads read and write the same shared memory, without a barrier between "
                     "them",
        place, ""));
  }
}

// Lines with which a tool gives up.
bool is_complaint(std::string_view headline) {
  for (const std::string_view words :
       {"Device not supported", "No attachable process", "Internal Sanitizer Error",
        "nternal error", "Unable to", "Failed to", "terminated before first instrumented"})
    if (contains(headline, words)) return true;
  return false;
}

}  // namespace

SanitizerLog read_sanitizer_log(const std::string& text, const std::string& source) {
  const std::string file = base_name(source);
  SanitizerLog log;
  std::vector<SafetyFinding> all;
  for (const Block& block : blocks_of(text)) {
    const std::string& headline = block.headline;
    const std::string_view race = "Race reported between ";
    if (contains(headline, "ERROR SUMMARY:") || contains(headline, "RACECHECK SUMMARY:")) {
      log.complete = true;
    } else if (is_complaint(headline)) {
      if (log.complaint.empty()) log.complaint = headline;
    } else if (const std::size_t at = headline.find(race); at != std::string::npos) {
      add_races(block, std::string_view(headline).substr(at + race.size()), &all);
    } else if (!block.behind("by thread ")) {
      continue;  // about a call of the host, or about the process
    } else if (headline.starts_with("Invalid __")) {
      all.push_back(access_finding(block, file));
    } else if (headline.starts_with("Uninitialized __")) {
      all.push_back(uninitialised_finding(block, file));
    } else if (headline.starts_with("Barrier error")) {
      all.push_back(barrier_finding(block, file));
    } else {
      all.push_back(other_finding(block, file));
    }
  }
  if (!log.complaint.empty()) log.complete = false;
  for (SafetyFinding& one : all) {
    const bool known =
        std::any_of(log.findings.begin(), log.findings.end(), [&](const SafetyFinding& other) {
          return other.slug == one.slug && other.place == one.place;
        });
    if (!known) log.findings.push_back(std::move(one));
  }
  return log;
}

}  // namespace judge
