#include "http/router.hpp"

#include <algorithm>

namespace tcfdl::http {
namespace {

enum class Kind : std::uint8_t { kLiteral, kOne, kMany };

struct Segment {
  Kind kind;
  std::string text;
};

std::ptrdiff_t count(const std::vector<Segment>& pattern, Kind kind) {
  return std::ranges::count(pattern, kind, &Segment::kind);
}

Result<Segment> parse_segment(std::string_view part) {
  if (part.find_first_of("{}") == std::string_view::npos) return Segment{Kind::kLiteral, std::string(part)};
  const bool many = part.ends_with("...}");
  const auto tail = many ? std::size_t{4} : std::size_t{1};
  const bool framed = part.starts_with('{') && part.ends_with('}') && part.size() > tail + 1;
  const auto name = framed ? part.substr(1, part.size() - 1 - tail) : std::string_view();
  if (name.empty() || name.find_first_of("{}.") != std::string_view::npos) {
    return make_error(Code::kInvalidArgument, "segment '{}' is neither literal nor {{name}} nor {{name...}}", part);
  }
  return Segment{many ? Kind::kMany : Kind::kOne, std::string(name)};
}

Result<std::vector<Segment>> parse_pattern(std::string_view pattern) {
  if (!pattern.starts_with('/')) return Error(Code::kInvalidArgument, "it does not start with '/'");
  std::vector<Segment> segments;
  for (auto rest = pattern.substr(1);;) {
    const auto end = rest.find('/');
    TCFDL_ASSIGN(auto segment, parse_segment(rest.substr(0, end)));
    segments.push_back(std::move(segment));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (count(segments, Kind::kMany) > 1) return Error(Code::kInvalidArgument, "it has more than one {name...}");
  return segments;
}

bool more_specific(const std::vector<Segment>& a, const std::vector<Segment>& b) {
  for (const auto kind : {Kind::kLiteral, Kind::kOne}) {
    if (count(a, kind) != count(b, kind)) return count(a, kind) > count(b, kind);
  }
  return std::ranges::lexicographical_compare(a, b, {}, &Segment::kind, &Segment::kind);
}

/// Whether both match the same paths.
bool same_shape(const std::vector<Segment>& a, const std::vector<Segment>& b) {
  return std::ranges::equal(a, b, [](const Segment& x, const Segment& y) {
    return x.kind == y.kind && (x.kind != Kind::kLiteral || x.text == y.text);
  });
}

bool same_names(const std::vector<Segment>& a, const std::vector<Segment>& b) {
  return std::ranges::equal(a, b, {}, &Segment::text, &Segment::text);
}

/// Joins `length` segments from `from`; nullopt if one is empty.
std::optional<std::string> join(const std::vector<std::string>& segments, std::size_t from, std::size_t length) {
  std::string joined;
  for (std::size_t i = from; i < from + length; ++i) {
    if (segments[i].empty()) return std::nullopt;
    if (i > from) joined += '/';
    joined += segments[i];
  }
  return joined;
}

std::optional<Parameters> match(const std::vector<Segment>& pattern, const std::vector<std::string>& segments) {
  if (segments.size() < pattern.size()) return std::nullopt;
  const auto spare = segments.size() - pattern.size();
  if (spare > 0 && count(pattern, Kind::kMany) == 0) return std::nullopt;
  Parameters params;
  std::size_t at = 0;
  for (const auto& part : pattern) {
    const auto length = part.kind == Kind::kMany ? spare + 1 : 1;
    if (part.kind == Kind::kLiteral) {
      if (segments[at] != part.text) return std::nullopt;
    } else {
      auto value = join(segments, at, length);
      if (!value) return std::nullopt;
      params[part.text] = *std::move(value);
    }
    at += length;
  }
  return params;
}

} // namespace

struct Router::Resource {
  std::vector<Segment> pattern;
  std::map<std::string, Route, std::less<>> routes;
};

Router::Router() = default;
Router::~Router() = default;

Status Router::add(std::string_view method, std::string_view pattern, const Route& route) {
  auto segments = parse_pattern(pattern);
  if (!segments) return segments.error().within(fmt::format("pattern '{}'", pattern));
  auto found =
      std::ranges::find_if(resources_, [&](const auto& known) { return same_shape(known->pattern, *segments); });
  if (found == resources_.end()) {
    const auto before =
        std::ranges::find_if(resources_, [&](const auto& known) { return more_specific(*segments, known->pattern); });
    found = resources_.insert(before, std::make_unique<Resource>(Resource{*std::move(segments), {}}));
  } else if (!same_names((*found)->pattern, *segments)) {
    return make_error(Code::kInvalidArgument, "pattern '{}': its methods name the parameters differently", pattern);
  }
  if ((*found)->routes.try_emplace(std::string(method), route).second) return {};
  return make_error(Code::kAlreadyExists, "{} {} has a handler already", method, pattern);
}

std::optional<Router::Match> Router::find(const std::vector<std::string>& segments) const {
  for (const auto& resource : resources_) {
    if (auto params = match(resource->pattern, segments)) return Match{resource.get(), *std::move(params)};
  }
  return std::nullopt;
}

const Route* Router::route_of(const Resource& resource, std::string_view method) noexcept {
  auto found = resource.routes.find(method);
  if (found == resource.routes.end() && method == "HEAD") found = resource.routes.find(std::string_view("GET"));
  return found == resource.routes.end() ? nullptr : &found->second;
}

std::string Router::allowed(const Resource& resource) {
  std::string list;
  for (const auto& [method, route] : resource.routes) {
    list += method + ", ";
    if (method == "GET" && !resource.routes.contains("HEAD")) list += "HEAD, ";
  }
  return resource.routes.contains("OPTIONS") ? list.substr(0, list.size() - 2) : list + "OPTIONS";
}

bool Router::is_public(const Resource& resource) noexcept {
  return std::ranges::any_of(resource.routes, [](const auto& entry) { return entry.second.options.is_public; });
}

} // namespace tcfdl::http
