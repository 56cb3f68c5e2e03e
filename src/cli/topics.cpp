#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/rfc3339.hpp"
#include "base/units.hpp"
#include "cli/api.hpp"
#include "cli/bodies.hpp"
#include "cli/command.hpp"
#include "cli/owner_key.hpp"
#include "cli/signals.hpp"
#include "crypto/secret.hpp"
#include "http/url.hpp"
#include "wire/topic.hpp"

#include <CLI/CLI.hpp>
#include <atomic>
#include <charconv>
#include <memory>
#include <tcfdl/topics.hpp>

namespace tcfdl::cli {
namespace {

using std::chrono::milliseconds;

struct CreateOptions {
  std::string name;
  std::string key;
  bool update = false;
  milliseconds retention = std::chrono::hours(24 * 7);
  std::uint64_t most_messages = 1'000'000;
  std::string most_bytes = "64MiB";
  std::uint32_t deliveries = 5;
  milliseconds handling = std::chrono::seconds(30);
  bool publishers_sign = false;
  std::vector<std::string> protections{"eae"};
  std::vector<std::string> assurance{"software"};
  std::vector<std::string> functions;
};

struct PublishArguments {
  std::string topic;
  std::string in = "-";
  bool lines = false;
  std::string protection = "eae";
  PublishOptions options;
};

struct SubscribeArguments {
  std::string topic;
  std::string from;
  std::string protection = "eae";
  std::uint64_t count = 0;
  SubscribeOptions options;
};

struct SubscriptionArguments {
  std::string topic;
  std::string name = "default";
};

Result<std::unique_ptr<TopicClient>> connect_topics(const Session& session) {
  crypto::protect_process();
  return TopicClient::connect(session.context);
}

std::string topic_target(std::string_view name) { return fmt::format("/v1/topics/{}", http::percent_encode(name)); }

/// What the command line leaves out stays as it is.
void keep_topic(const CLI::App& command, const Json& topic, CreateOptions& options) {
  const auto keeps = [&](const char* option) { return command.count(option) == 0; };
  if (keeps("--retention")) options.retention = std::chrono::seconds(topic.value("retention_s", std::int64_t{0}));
  if (keeps("--messages")) options.most_messages = topic.value("most_messages", options.most_messages);
  if (keeps("--bytes")) options.most_bytes = fmt::format("{}B", topic.value("most_bytes", std::uint64_t{0}));
  if (keeps("--deliveries")) options.deliveries = topic.value("most_deliveries", options.deliveries);
  if (keeps("--handling")) options.handling = milliseconds(topic.value("handling_ms", std::int64_t{0}));
  if (keeps("--sign")) options.publishers_sign = topic.value("publishers_sign", false);
  if (keeps("--protection")) options.protections = topic.value("protections", options.protections);
  if (keeps("--assurance")) options.assurance = topic.value("assurance", options.assurance);
  if (keeps("--function")) options.functions = topic.value("functions", options.functions);
}

Result<wire::Descriptor> topic_descriptor_of(const CreateOptions& options, const std::string& cluster) {
  TCFDL_ASSIGN(const auto name, parse_function_name(options.name));
  wire::Descriptor descriptor;
  descriptor.set_name(name.str());
  descriptor.set_version(static_cast<std::uint64_t>(unix_millis())); // later ones are higher
  descriptor.set_epoch(1);
  descriptor.add_providers(cluster);
  for (const auto& each : options.protections) descriptor.add_protections(each);
  for (const auto& each : options.assurance) descriptor.add_assurance(each);
  auto& policy = *descriptor.mutable_topic();
  policy.set_retention_s(
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(options.retention).count()));
  policy.set_most_messages(options.most_messages);
  TCFDL_ASSIGN(const auto bytes, parse_size(options.most_bytes));
  policy.set_most_bytes(bytes);
  policy.set_most_deliveries(options.deliveries);
  policy.set_handling_ms(static_cast<std::uint32_t>(options.handling.count()));
  policy.set_publishers_sign(options.publishers_sign);
  for (const auto& each : options.functions) policy.add_functions(each);
  TCFDL_TRY(wire::check_topic_policy(policy));
  return descriptor;
}

Status create_topic(const Session& session, const CLI::App& command, CreateOptions options) {
  TCFDL_ASSIGN(const auto context, sdk::load_context(session.context));
  TCFDL_ASSIGN(auto api, Api::connect(context));
  const auto present = api.get(topic_target(options.name));
  if (present && !options.update) {
    return make_error(Code::kAlreadyExists, "the topic {} is there; --update changes it", options.name);
  }
  if (present) keep_topic(command, *present, options);
  if (!present && present.error().code() != Code::kNotFound) return present.error();
  TCFDL_ASSIGN(auto descriptor, topic_descriptor_of(options, context.cluster));
  TCFDL_ASSIGN(const auto owner, choose_owner_key(options.key));
  descriptor.set_owner_key(wire::field(owner.public_key().bytes()));
  const auto statement = wire::serialize(wire::sign(owner, descriptor));
  TCFDL_ASSIGN(const auto topic, api.post("/v1/topics", {{"descriptor", to_base64url(statement)}}));
  if (session.json) {
    print_json(topic);
  } else {
    print(fmt::format("{} keeps messages for {} s\n", shown(topic, "name"), shown(topic, "retention_s")));
  }
  return {};
}

Status list_topics(const Session& session) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, api.get("/v1/topics"));
  if (session.json) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows{
      {"NAME", "FIRST", "LAST", "MESSAGES", "BYTES", "RETENTION", "SUBSCRIPTIONS", "PROTECTION"}};
  if (const auto topics = answer.find("topics"); topics != answer.end() && topics->is_array()) {
    for (const auto& topic : *topics) {
      rows.push_back({shown(topic, "name"), shown(topic, "first"), shown(topic, "last"), shown(topic, "messages"),
                      shown(topic, "bytes"), shown(topic, "retention_s") + "s",
                      std::to_string(topic.value("subscriptions", Json::array()).size()), shown(topic, "protections")});
    }
  }
  print(table(rows));
  return {};
}

Status show_topic(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto topic, api.get(topic_target(name)));
  if (session.json) {
    print_json(topic);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : topic.items()) {
    if (key != "subscriptions") rows.push_back({key, shown(topic, key.c_str())});
  }
  for (const auto& each : topic.value("subscriptions", Json::array())) {
    rows.push_back({"subscription", fmt::format("{} of {}: settled up to {}, {} waiting, {} dead", shown(each, "name"),
                                                shown(each, "owner"), shown(each, "settled"), shown(each, "waiting"),
                                                shown(each, "dead"))});
  }
  print(table(rows));
  return {};
}

Status delete_topic(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_TRY(api.remove(topic_target(name)));
  if (!session.json) print(name + " is deleted\n");
  return {};
}

void tell(const Session& session, const Published& published) {
  if (session.json) {
    print(Json{{"id", published.id}, {"sequence", published.sequence}, {"duplicate", published.duplicate}}.dump() +
          "\n");
  } else {
    print(fmt::format("{} {}{}\n", published.sequence, published.id, published.duplicate ? " (known already)" : ""));
  }
}

Status publish_message(const Session& session, PublishArguments arguments) {
  TCFDL_ASSIGN(arguments.options.protection, protection_from_name(arguments.protection));
  TCFDL_ASSIGN(const auto client, connect_topics(session));
  TCFDL_ASSIGN(const auto input, read_body(arguments.in));
  if (!arguments.lines) {
    TCFDL_ASSIGN(const auto published, client->publish(arguments.topic, input, arguments.options));
    tell(session, published);
    return {};
  }
  if (!arguments.options.id.empty()) return Error(Code::kInvalidArgument, "--id is for one message, not for --lines");
  auto rest = as_text(input);
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    TCFDL_ASSIGN(const auto published,
                 client->publish(arguments.topic, as_bytes(rest.substr(0, end)), arguments.options));
    tell(session, published);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

/// `first`, a sequence, or a time of storage.
Status read_from(const std::string& from, SubscribeOptions& options) {
  if (from.empty()) return {};
  std::uint64_t sequence = 1;
  const auto [end, failure] = std::from_chars(from.data(), from.data() + from.size(), sequence);
  if (from == "first" || (failure == std::errc() && end == from.data() + from.size())) {
    options.from_sequence = sequence;
    return {};
  }
  const auto time = from_rfc3339(from);
  if (!time) {
    return make_error(Code::kInvalidArgument,
                      "--from {}: 'first', a sequence, or a time as 2026-01-31T12:00:00Z is expected", from);
  }
  options.from_ms = *time * 1000;
  return {};
}

Json document_of(const ReceivedMessage& message) {
  return {
      {"topic", message.topic},         {"sequence", message.sequence},         {"id", message.id},
      {"publisher", message.publisher}, {"content_type", message.content_type}, {"published_ms", message.published_ms},
      {"stored_ms", message.stored_ms}, {"delivery", message.delivery},         {"body", to_base64url(message.body)}};
}

/// A message is handled when it is written.
Status write_message(const Session& session, const ReceivedMessage& message) {
  if (session.json) return write_all(STDOUT_FILENO, as_bytes(document_of(message).dump() + "\n"));
  Bytes line(message.body);
  line.push_back('\n');
  return write_all(STDOUT_FILENO, line);
}

Status subscribe_topic(const Session& session, SubscribeArguments arguments) {
  TCFDL_TRY(read_from(arguments.from, arguments.options));
  TCFDL_ASSIGN(arguments.options.protection, protection_from_name(arguments.protection));
  Signals signals;
  TCFDL_ASSIGN(const auto client, connect_topics(session));
  std::atomic<std::uint64_t> handled = 0;
  const auto handler = [&](const ReceivedMessage& message) -> Status {
    const auto number = ++handled;
    if (arguments.count == 0 || number <= arguments.count) return write_message(session, message);
    return Error(Code::kCancelled, "as many as were asked for are written"); // somebody else gets it
  };
  TCFDL_ASSIGN(const auto subscription, client->subscribe(arguments.topic, handler, arguments.options));
  while (!signals.wait(milliseconds(0))) {
    TCFDL_TRY(subscription->wait(milliseconds(50)));
    if (arguments.count != 0 && handled >= arguments.count) break;
  }
  return {};
}

Status list_subscriptions(const Session& session, const std::string& topic) {
  TCFDL_ASSIGN(const auto client, connect_topics(session));
  TCFDL_ASSIGN(const auto all, client->subscriptions(topic));
  auto document = Json::array();
  std::vector<std::vector<std::string>> rows{{"NAME", "SETTLED", "WAITING", "DEAD"}};
  for (const auto& each : all) {
    document.push_back(
        {{"name", each.name}, {"settled", each.settled}, {"waiting", each.waiting}, {"dead", each.dead}});
    rows.push_back({each.name, std::to_string(each.settled), std::to_string(each.waiting), std::to_string(each.dead)});
  }
  if (session.json) {
    print_json(document);
  } else {
    print(table(rows));
  }
  return {};
}

Status list_dead(const Session& session, const SubscriptionArguments& arguments) {
  TCFDL_ASSIGN(const auto client, connect_topics(session));
  TCFDL_ASSIGN(const auto all, client->dead_messages(arguments.topic, arguments.name));
  auto document = Json::array();
  std::vector<std::vector<std::string>> rows{{"SEQUENCE", "ID", "PUBLISHER", "DELIVERIES", "REASON"}};
  for (const auto& each : all) {
    document.push_back({{"sequence", each.sequence},
                        {"id", each.id},
                        {"publisher", each.publisher},
                        {"stored_ms", each.stored_ms},
                        {"deliveries", each.deliveries},
                        {"reason", each.reason}});
    rows.push_back(
        {std::to_string(each.sequence), each.id, each.publisher, std::to_string(each.deliveries), each.reason});
  }
  if (session.json) {
    print_json(document);
  } else {
    print(table(rows));
  }
  return {};
}

Status unsubscribe(const Session& session, const SubscriptionArguments& arguments) {
  TCFDL_ASSIGN(const auto client, connect_topics(session));
  TCFDL_TRY(client->unsubscribe(arguments.topic, arguments.name));
  if (!session.json) print(fmt::format("the subscription {} is removed\n", arguments.name));
  return {};
}

void add_topic_create(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("create", "make a topic");
  auto options = std::make_shared<CreateOptions>();
  command->add_option("name", options->name, "as plates/seen")->required();
  command->add_flag("--update", options->update, "change one that is there; what is not given stays");
  add_duration(*command, "--retention", options->retention, "how long messages are kept; default 7 days, most 30");
  command->add_option("--messages", options->most_messages, "how many are kept; default 1,000,000");
  command->add_option("--bytes", options->most_bytes, "how much is kept, sealed; default 64MiB")->type_name("SIZE");
  command->add_option("--deliveries", options->deliveries,
                      "that may fail before a message is a dead letter; default 5");
  add_duration(*command, "--handling", options->handling,
               "until a message that nobody says is worked on is delivered again; default 30s");
  command->add_flag("--sign", options->publishers_sign, "publishers sign each message");
  command->add_option("--protection", options->protections, "what is admitted: eae, none; default eae")
      ->check(CLI::IsMember({"eae", "none"}));
  command->add_option("--assurance", options->assurance, "classes that may read; default software")
      ->check(CLI::IsMember({"software", "hardware"}));
  command->add_option("--function", options->functions, "functions of other owners that it may trigger; as plates/*");
  command
      ->add_option("--key", options->key,
                   "of the name's owner; default: owner.key beside the contexts, made when it is missing")
      ->type_name("FILE");
  command->callback(session.run([&session, command, options] { return create_topic(session, *command, *options); }));
}

void add_topic_publish(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("publish", "publish a message; prints its sequence and id once it is on disk");
  auto arguments = std::make_shared<PublishArguments>();
  command->add_option("topic", arguments->topic, "its name")->required();
  command->add_option("--in", arguments->in, "the body; - is standard input")->type_name("FILE");
  command->add_flag("--lines", arguments->lines, "each line is a message");
  command->add_option("--id", arguments->options.id, "makes repeats one message");
  command->add_option("--content-type", arguments->options.content_type, "of the body");
  command->add_option("--protection", arguments->protection, "eae (end to end) or none")
      ->check(CLI::IsMember({"eae", "none"}));
  add_duration(*command, "--timeout", arguments->options.timeout, "until it is stored; default 30s");
  command->callback(session.run([&session, arguments] { return publish_message(session, *arguments); }));
}

void add_topic_subscribe(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("subscribe", "write messages as they come; a written one is acknowledged");
  auto arguments = std::make_shared<SubscribeArguments>();
  command->add_option("topic", arguments->topic, "its name")->required();
  command->add_option("--subscription", arguments->options.name, "which goes on where it was; default 'default'");
  command->add_option("--from", arguments->from, "where a new one begins: first, a sequence or a time; default: now");
  command->add_flag("--replay", arguments->options.replay, "move one that is there to --from");
  command->add_option("--count", arguments->count, "end after so many messages");
  command->add_option("--protection", arguments->protection, "the least: eae, or none to take both")
      ->check(CLI::IsMember({"eae", "none"}));
  command->callback(session.run([&session, arguments] { return subscribe_topic(session, *arguments); }));
}

std::shared_ptr<SubscriptionArguments> add_subscription_options(CLI::App& command) {
  auto arguments = std::make_shared<SubscriptionArguments>();
  command.add_option("topic", arguments->topic, "its name")->required();
  command.add_option("--subscription", arguments->name, "of yours; default 'default'");
  return arguments;
}

std::shared_ptr<std::string> add_topic_name(CLI::App& command) {
  auto name = std::make_shared<std::string>();
  command.add_option("name", *name, "of the topic")->required();
  return name;
}

} // namespace

void add_topic_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("topic", "messages to whoever subscribes, kept until they are handled");
  group->require_subcommand(1);
  add_topic_create(*group, session);
  add_topic_publish(*group, session);
  add_topic_subscribe(*group, session);
  group->add_subcommand("list", "topics of the cluster")->callback(session.run([&session] {
    return list_topics(session);
  }));
  auto* one = group->add_subcommand("show", "a topic and its subscriptions");
  one->callback(session.run([&session, name = add_topic_name(*one)] { return show_topic(session, *name); }));
  auto* gone = group->add_subcommand("delete", "delete a topic with its messages and subscriptions");
  gone->callback(session.run([&session, name = add_topic_name(*gone)] { return delete_topic(session, *name); }));
  auto* mine = group->add_subcommand("subscriptions", "your subscriptions to a topic");
  mine->callback(session.run([&session, name = add_topic_name(*mine)] { return list_subscriptions(session, *name); }));
  auto* dead = group->add_subcommand("dead-letters", "messages that failed as often as the topic admits");
  dead->callback(
      session.run([&session, arguments = add_subscription_options(*dead)] { return list_dead(session, *arguments); }));
  auto* leave = group->add_subcommand("unsubscribe", "remove a subscription of yours");
  leave->callback(session.run(
      [&session, arguments = add_subscription_options(*leave)] { return unsubscribe(session, *arguments); }));
}

} // namespace tcfdl::cli
