/** MQTT 3.1.1, 1.5.3. */
const maxTextBytes = 0xffff;

/** Whether a topic filter is well formed (MQTT 3.1.1, 4.7.1): `#` only as last level, `+` only as a whole level. */
export function isTopicFilter(filter: string): boolean {
  if (filter === "" || hasForbiddenCharacter(filter)) return false;
  const levels = filter.split("/");
  return levels.every(
    (level, index) =>
      level === "+" || (level === "#" && index === levels.length - 1) || (!level.includes("+") && !level.includes("#")),
  );
}

/** Whether a topic may be published to: not empty, no wildcard, well-formed UTF-8 without U+0000 (MQTT 3.1.1, 1.5.3). */
export function isTopicName(topic: string): boolean {
  return (
    topic !== "" && !topic.includes("+") && !topic.includes("#") && !hasForbiddenCharacter(topic) && !isTooLong(topic)
  );
}

/** Whether messages on the topic are heard through the filter. */
export function filterMatches(filter: string, topic: string): boolean {
  // MQTT 3.1.1, 4.7.2: a leading wildcard must not match a topic that begins with "$".
  if (topic.startsWith("$") && !filter.startsWith("$")) return false;
  const wanted = filter.split("/");
  const levels = topic.split("/");
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return true;
    if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

/** Its length has two bytes. What is printed nevertheless is no packet. */
function isTooLong(text: string): boolean {
  return text.length > maxTextBytes / 3 && Buffer.byteLength(text) > maxTextBytes;
}

/** The parser decodes ill-formed UTF-8 to U+FFFD, which no topic of any dialect has. */
function hasForbiddenCharacter(text: string): boolean {
  return text.includes("\0") || text.includes("\ufffd");
}
