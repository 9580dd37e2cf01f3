"""What people read at a terminal: lines, tables and colours, and decisions set as text.

Commands print through this room, and the demo does; it parses no options and
decides no exit code.
"""
