"""Alarms and graphs made from signals, and metrics made from log lines; knows no capability."""
