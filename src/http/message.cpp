#include "http/message.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tcfdl::http {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 28> kReasons{{
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
}};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

} // namespace

bool same_text(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

void Headers::set(std::string_view name, std::string value) {
  erase(name);
  add(std::string(name), std::move(value));
}

void Headers::erase(std::string_view name) {
  std::erase_if(fields_, [name](const Field& field) { return same_text(field.first, name); });
}

std::string_view Headers::get(std::string_view name) const noexcept {
  const auto found = std::ranges::find_if(fields_, [name](const Field& field) { return same_text(field.first, name); });
  return found == fields_.end() ? std::string_view() : std::string_view(found->second);
}

std::size_t Headers::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(fields_, [name](const Field& field) { return same_text(field.first, name); }));
}

std::string_view Request::param(std::string_view name) const noexcept {
  const auto found = params.find(name);
  return found == params.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::string> Request::query_text(std::string_view name) const {
  const auto found = query.find(name);
  if (found == query.end()) return std::nullopt;
  return found->second;
}

Result<std::int64_t> Request::query_integer_or(std::string_view name, std::int64_t otherwise, std::int64_t least,
                                               std::int64_t most) const {
  const auto text = query_text(name);
  if (!text) return otherwise;
  std::int64_t number = 0;
  const auto* end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end && number >= least && number <= most) return number;
  return make_error(Code::kInvalidArgument, "query parameter '{}': '{}' is no whole number from {} to {}", name,
                    printable(*text, 32), least, most);
}

Request Request::make(std::string method, std::string target, std::string_view content, std::string content_type) {
  Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = to_bytes(content);
  if (!content.empty()) request.headers.set("Content-Type", std::move(content_type));
  return request;
}

Response Response::of(int status, std::string content_type, std::string_view content) {
  Response response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = to_bytes(content);
  return response;
}

std::string_view reason_phrase(int status) noexcept {
  const auto* found = std::ranges::find(kReasons, status, &std::pair<int, std::string_view>::first);
  return found == kReasons.end() ? "Unknown" : found->second;
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string clean(text.substr(0, limit));
  std::ranges::replace_if(clean, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  if (text.size() > limit) clean += "...";
  return clean;
}

} // namespace tcfdl::http
