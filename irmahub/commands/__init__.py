"""The commands of `irmahub`, a module each.

The name of a module is the name of its command (`_` written as `-`), the first line of its docstring is the command's
summary in `irmahub --help`, and its attribute `command` is the click command or group. `irmahub.cli` imports a module
only when its command is asked for, so that a command costs no more than it uses.
"""
