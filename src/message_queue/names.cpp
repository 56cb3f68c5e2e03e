#include "message_queue/names.hpp"

#include <algorithm>

namespace tcfdl::message_queue {
namespace {

constexpr std::size_t kLongestSubject = 255;

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_token(std::string_view token) {
  return !token.empty() &&
         std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f' && c != '*' && c != '>'; });
}

Status check_name(std::string_view subject, bool wildcards) {
  const auto refuse = [&](std::string_view why) {
    return make_error(Code::kInvalidArgument, "subject `{}`: {}", subject.substr(0, kLongestSubject), why);
  };
  if (subject.empty() || subject.size() > kLongestSubject) return refuse("it has 1 to 255 characters");
  for (std::string_view rest = subject;;) {
    const auto dot = rest.find('.');
    const auto token = rest.substr(0, dot);
    const bool last = dot == std::string_view::npos;
    const bool wildcard = token == "*" || (token == ">" && last);
    if (!is_token(token) && !(wildcards && wildcard)) {
      return refuse(wildcards ? "its tokens are visible ASCII, `*`, or `>` at the end"
                              : "its tokens are visible ASCII");
    }
    if (last) return {};
    rest.remove_prefix(dot + 1);
  }
}

} // namespace

Status check_subject(std::string_view subject) { return check_name(subject, false); }

Status check_filter(std::string_view filter) { return check_name(filter, true); }

Status check_bucket(std::string_view bucket) {
  const bool good = std::ranges::all_of(bucket, [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; });
  if (good && !bucket.empty() && bucket.size() <= 64) return {};
  return make_error(Code::kInvalidArgument, "bucket `{}`: use 1 to 64 of A-Z a-z 0-9 _ -", bucket.substr(0, 64));
}

Status check_key(std::string_view key) {
  const bool characters = std::ranges::all_of(
      key, [](char c) { return is_alphanumeric(c) || std::string_view("_=/-.").find(c) != std::string_view::npos; });
  const bool dots = !key.starts_with('.') && !key.ends_with('.') && key.find("..") == std::string_view::npos;
  if (characters && dots && !key.empty() && key.size() <= 200) return {};
  return make_error(Code::kInvalidArgument, "key `{}`: use 1 to 200 of A-Z a-z 0-9 _ = / - and single dots inside",
                    key.substr(0, 200));
}

} // namespace tcfdl::message_queue
