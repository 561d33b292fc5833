"""The commands that Markdown shows: lines of ```sh blocks, and of other code those that begin with a program."""
import re

NAMES = ("apt-get|cd|cmake|compute-sanitizer|ctest|curl|edmund|git|ninja|pip|python3?|srun|sudo|tensorboard|torchrun|"
         r"\S*/edmund|scripts/\S+|\S*/test_\w+|\./\S+|\.ci/run")
PROGRAM = re.compile(rf"(\w+=\S* +)*({NAMES})( |$)")
SHELLS = ("sh", "bash", "shell", "console")


def blocks(text):
    """(language, number of the first line, lines) of each code block; the language of indented ones is ''."""
    lines, found, i = text.split("\n"), [], 0
    while i < len(lines):
        fence = re.match(r"(\s*)(```+|~~~+)\s*(\w*)", lines[i])
        indented = lines[i].startswith("    ") and not lines[i - 1].strip() if i else False
        start = i
        if fence:
            i += 1
            while i < len(lines) and not lines[i].strip().startswith(fence[2]):
                i += 1
            found.append((fence[3], start + 2, [line[len(fence[1]):] for line in lines[start + 1:i]]))
        elif indented:
            while i < len(lines) and (lines[i].startswith("    ") or not lines[i].strip()):
                i += 1
            found.append(("", start + 1, [line[4:] for line in lines[start:i]]))
            continue
        i += 1
    return found


def commands(text):
    """(number of its line, command) of each; lines that end with a backslash are joined, comments left out."""
    out = []
    for language, first, lines in blocks(text):
        if language not in ("", *SHELLS):
            continue
        joined, start = "", first
        for number, line in enumerate(lines, first):
            start = start if joined else number
            joined += line.removeprefix("$ ")
            if joined.endswith("\\"):
                joined = joined[:-1]
                continue
            command = re.sub(r"(^|\s+)#\s.*$", "", joined).strip()
            joined = ""
            if command and (language in SHELLS or PROGRAM.match(command)):
                parts = [command] if command.startswith("cd ") else command.split(" && ")
                out += [(start, part) for part in parts]
    return out
