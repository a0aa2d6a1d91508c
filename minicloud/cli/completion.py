"""``completion``: a script that lets a shell complete verbs and options.

Each script asks ``cloudctl`` itself what could come next, through an environment variable that click looks for.
"""

from __future__ import annotations

import os
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from minicloud.cli import exits
from minicloud.cli.group import cli

VARIABLE: Final = "_CLOUDCTL_COMPLETE"
"""What click makes of the name of the command."""

SHELLS = ("bash", "zsh", "fish", "powershell")


@add_completion_class
class PowerShell(ShellComplete):
    """PowerShell, for Windows' own 5.1 and for 7.

    It hands over the finished words, each on a line, and the one that the cursor is in; it gets back lines of kind, value
    and help with tabs between. Where a file is wanted it gets nothing, and then completes names of files by itself.
    """

    name = "powershell"
    source_template = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s, %(prog_name)s.exe -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = $commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value }
            else { $_.Extent.Text }
        }
    $env:COMP_WORDS = @($words | Select-Object -Skip 1) -join "`n"
    $env:COMP_CWORD = $wordToComplete
    $env:%(complete_var)s = "powershell_complete"
    try {
        & %(prog_name)s 2>$null | ForEach-Object {
            $kind, $value, $help = $_ -split "`t", 3
            if ($kind -eq "plain") {
                if (-not $help) { $help = $value }
                [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $help)
            }
        }
    }
    finally {
        Remove-Item -ErrorAction SilentlyContinue Env:%(complete_var)s, Env:COMP_WORDS, Env:COMP_CWORD
    }
}
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the finished words after the command, and the one that is being typed."""
        words = os.environ.get("COMP_WORDS", "")
        return words.split("\n") if words else [], os.environ.get("COMP_CWORD", "")

    def format_completion(self, item: CompletionItem) -> str:
        """Return one possibility as a line."""
        return f"{item.type}\t{item.value}\t{' '.join((item.help or '').split())}"


@cli.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def write_script(shell: str) -> int:
    """Write a script that makes SHELL complete verbs and options.

    \b
    in ~/.bashrc:                  eval "$(cloudctl completion bash)"
    in ~/.zshrc, after compinit:   eval "$(cloudctl completion zsh)"
    in ~/.config/fish/config.fish: cloudctl completion fish | source
    in PowerShell's $PROFILE:      cloudctl completion powershell | Out-String | Invoke-Expression
    """
    made_by = get_completion_class(shell)
    assert made_by is not None, "click knows three of them, and the fourth is above"
    complete = made_by(cli, {}, "cloudctl", VARIABLE)
    # Not complete.source(): for bash that runs the bash that it finds, whichever this script is for. And as bytes, since
    # Windows' line ends would break the script for a bash there.
    click.echo((complete.source_template % complete.source_vars()).encode("ascii"), nl=False)
    return exits.OK
