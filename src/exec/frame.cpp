#include "exec/frame.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <sys/uio.h>

namespace tcfdl::exec {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

void append_number(Bytes& to, std::uint64_t number, std::size_t size) {
  for (std::size_t i = size; i > 0; --i) to.push_back(static_cast<std::uint8_t>(number >> (8 * (i - 1))));
}

Error broken(std::string_view what) { return make_error(Code::kInternal, "the program broke the format: {}", what); }

Result<std::string> text_of(const nlohmann::json& header, const char* key) {
  const auto found = header.find(key);
  if (found != header.end() && found->is_string()) return found->get<std::string>();
  return broken(fmt::format("its answer's header has no text '{}'", key));
}

} // namespace

Bytes request_head(const TaskContext& task, std::uint64_t body_size) {
  nlohmann::json header{{"task_id", task.task_id()},
                        {"caller", task.caller()},
                        {"content_type", task.content_type()},
                        {"time_left_ms", task.time_left().count()}};
  if (const auto* message = task.message()) {
    header["message"] = {{"topic", message->topic},
                         {"id", message->id},
                         {"sequence", message->sequence},
                         {"delivery", message->delivery}};
  }
  const auto text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  Bytes head;
  append_number(head, text.size(), 4);
  head.insert(head.end(), text.begin(), text.end());
  append_number(head, body_size, 8);
  return head;
}

Result<std::optional<Error>> parse_answer_header(BytesView header) {
  const auto parsed = nlohmann::json::parse(header.begin(), header.end(), nullptr, false);
  if (!parsed.is_object()) return broken("its answer's header is no JSON object");
  for (const auto& [key, value] : parsed.items()) {
    if (key != "ok" && key != "code" && key != "message") {
      return broken(fmt::format("its answer's header has the unknown key '{}'", key.substr(0, 40)));
    }
  }
  const auto ok = parsed.find("ok");
  if (ok == parsed.end() || !ok->is_boolean()) return broken("its answer's header has no 'ok' of true or false");
  if (ok->get<bool>()) return std::optional<Error>();
  TCFDL_ASSIGN(const auto code, text_of(parsed, "code"));
  TCFDL_ASSIGN(auto message, text_of(parsed, "message"));
  return std::optional(Error(code_from_name(code), std::move(message)));
}

Result<Exchange::Answer> Exchange::run(BytesView head, BytesView body) {
  head_ = head;
  body_ = body;
  TCFDL_ASSIGN(const auto header_size, read_number(4));
  if (header_size == 0 || header_size > limits_.header) {
    return broken(
        fmt::format("its answer begins with a header of {} bytes; 1 to {} are possible", header_size, limits_.header));
  }
  Bytes header(header_size);
  TCFDL_TRY(read_exactly(header));
  Answer answer;
  TCFDL_ASSIGN(answer.refusal, parse_answer_header(header));
  TCFDL_ASSIGN(const auto body_size, read_number(8));
  if (body_size > limits_.body) {
    return broken(fmt::format("its answer has a body of {} bytes; at most {}", body_size, limits_.body));
  }
  TCFDL_ASSIGN(answer.body, read_body(body_size));
  answer.in_step = head_.empty() && body_.empty();
  return answer;
}

Result<std::uint64_t> Exchange::read_number(std::size_t size) {
  std::array<std::uint8_t, 8> bytes{};
  TCFDL_TRY(read_exactly(std::span(bytes).first(size)));
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) number = number << 8U | bytes[i];
  return number;
}

/// Memory grows with what came, not with what was announced.
Result<Bytes> Exchange::read_body(std::uint64_t size) {
  Bytes body;
  while (body.size() < size) {
    const auto have = body.size();
    body.resize(have + std::min<std::uint64_t>(kPiece, size - have));
    TCFDL_TRY(read_exactly(std::span(body).subspan(have)));
  }
  return body;
}

Status Exchange::read_exactly(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const auto got = ::read(process_.output(), out.data(), out.size());
    if (got == 0) return ended();
    if (got > 0) {
      out = out.subspan(static_cast<std::size_t>(got));
    } else if (errno == EAGAIN) {
      TCFDL_TRY(wait());
    } else if (errno != EINTR) {
      return Error(Code::kInternal, "cannot read from the program");
    }
  }
  return {};
}

Status Exchange::wait() {
  const bool sending = !refused_ && !(head_.empty() && body_.empty());
  std::array<pollfd, 3> entries{
      {{process_.output(), POLLIN, 0}, {process_.exited(), POLLIN, 0}, {sending ? process_.input() : -1, POLLOUT, 0}}};
  TCFDL_TRY(interrupt_.wait(entries));
  if (entries[0].revents != 0) {
    if (entries[2].revents != 0) send();
    return {};
  }
  if (entries[1].revents != 0) return ended();
  send();
  return {};
}

void Exchange::send() {
  const std::array<iovec, 2> parts{{{const_cast<std::uint8_t*>(head_.data()), head_.size()},
                                    {const_cast<std::uint8_t*>(body_.data()), body_.size()}}};
  const auto sent = ::writev(process_.input(), parts.data(), parts.size());
  if (sent < 0) {
    refused_ = errno != EAGAIN && errno != EINTR;
    return;
  }
  const auto of_head = std::min(static_cast<std::size_t>(sent), head_.size());
  head_ = head_.subspan(of_head);
  body_ = body_.subspan(static_cast<std::size_t>(sent) - of_head);
}

Error Exchange::ended() {
  ended_ = true;
  return {Code::kInternal, "the program ended in the middle of a task"};
}

} // namespace tcfdl::exec
